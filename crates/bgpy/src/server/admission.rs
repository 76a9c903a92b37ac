//! Which calls a server accepts. Accepted calls are queued.

use std::sync::Arc;

use bgpy_proto::{
    CallHead, CallKind, Delivered, Failure, FailureCode, Id, Request, ServerSession, Want,
};

use super::calls::{Calls, Waiting};
use super::jobs::{Jobs, OF_JOBS, Submitted};
use super::lifecycle::{Lifecycle, not_initialized};
use crate::jobs;

/// What decides about a request.
#[derive(Debug)]
pub(super) struct Admission<'a> {
    pub(super) calls: &'a mut Calls,
    pub(super) jobs: &'a mut Jobs,
    pub(super) lifecycle: &'a mut Lifecycle,
    /// Why all calls but EXIT are refused, if they are.
    pub(super) overload: Option<&'a str>,
    /// The server's identity.
    pub(super) own: Id,
    /// How often it has lost its state.
    pub(super) generation: u64,
    /// Whether each call is acked on acceptance, and not only one whose caller asks for that.
    pub(super) acks_at_once: bool,
}

impl Admission<'_> {
    /// Queues, refuses or cancels a call; returns any other request, and the cancel of a call that is to be
    /// interrupted because it runs.
    pub(super) fn admit(
        &mut self,
        session: &mut ServerSession,
        connection: usize,
        request: Request,
    ) -> Option<Request> {
        match request {
            // An EXIT stays: other calls may have been refused because of it.
            Request::Cancel { id, .. } if self.lifecycle.is_exit(connection, id) => {}
            Request::Cancel { id, interrupt: true }
                if self.calls.under_way.find(connection, id).is_some() =>
            {
                return Some(Request::Cancel { id, interrupt: true });
            }
            // Whoever waits for a job leaves it alone.
            Request::Cancel { id, interrupt } if self.jobs.leave((connection, id)) => {
                if interrupt {
                    session.fail(id, &cancelled());
                }
            }
            // It was refused before its cancel was read, or the caller does not wait for the end any more.
            Request::Cancel { id, interrupt: true } if !session.is_open(id) => {}
            Request::Cancel { id, interrupt } => {
                self.calls.cancel(connection, id);
                if interrupt {
                    session.fail(id, &cancelled());
                }
            }
            Request::Call { id, want, head: Some(head), message, .. } if head.job.is_some() => {
                let admitted = match session.is_open(id) {
                    true if want == Want::Ack => self.submit(session, &head, message),
                    true => self.await_job(&head, (connection, id)),
                    false => Err(cancelled()),
                };
                match admitted {
                    Ok(()) if want == Want::Ack => session.ack(id),
                    Ok(()) => {}
                    // See below.
                    Err(failure) if session.fail(id, &failure) => {}
                    Err(_) => self.calls.expect_cancel(connection, id),
                }
            }
            Request::Call { id, kind, want, head, message } => {
                let waits = want != Want::Ack;
                if let Err(failure) = self.check(kind, head.as_deref().filter(|_| waits), &message)
                {
                    // `fail` returns `false` if the caller has cancelled the call in the same batch
                    // of frames.
                    if !session.fail(id, &failure) {
                        self.calls.expect_cancel(connection, id);
                    }
                    return None;
                }
                if want == Want::Ack || self.acks_at_once {
                    session.ack(id);
                }
                if kind == CallKind::Exit {
                    self.lifecycle.exit_accepted(connection, id);
                }
                self.calls.push(Waiting::new(connection, id, kind, head, message));
            }
            other => return Some(other),
        }
        None
    }

    /// Queues the call of a job, unless the job is known.
    fn submit(
        &mut self,
        session: &ServerSession,
        head: &Arc<CallHead>,
        message: Delivered,
    ) -> Result<(), Failure> {
        let name = head.job.as_deref().unwrap_or_default();
        if self.jobs.find(name).is_none() {
            self.check(CallKind::Exec, None, &message)?;
        }
        match self.jobs.submit(name, head, session.client().allow_pickle) {
            Submitted::New(number) => {
                let (head, kind) = (Some(head.clone()), CallKind::Exec);
                let call = self.calls.push(Waiting::new(OF_JOBS, number, kind, head, message));
                self.jobs.has_call(number, call);
                Ok(())
            }
            Submitted::Known => Ok(()),
            Submitted::Other => {
                let text = format!(
                    "the job {name} was submitted before, to call something else or with other arguments"
                );
                Err(Failure::new(FailureCode::JobTaken, text))
            }
            Submitted::Full => {
                let text = "too many jobs wait or run already; try again later";
                Err(Failure::new(FailureCode::Overloaded, text))
            }
        }
    }

    /// Notes who waits for a job.
    fn await_job(&mut self, head: &CallHead, caller: (usize, u64)) -> Result<(), Failure> {
        let name = head.job.as_deref().unwrap_or_default();
        let Some(number) = self.jobs.find(name) else {
            return Err(jobs::unknown(name, self.own, self.generation));
        };
        if !self.jobs.is_over(number) {
            self.check_chain(head)?;
        }
        self.jobs.wait(number, caller);
        Ok(())
    }

    fn check_chain(&self, head: &CallHead) -> Result<(), Failure> {
        if !head.chain.contains(self.own) {
            return Ok(());
        }
        let text =
            "a task of this server waits for the task that makes this call, so neither could go on";
        Err(Failure::new(FailureCode::Deadlock, text))
    }

    fn check(
        &mut self,
        kind: CallKind,
        awaited: Option<&CallHead>,
        message: &Delivered,
    ) -> Result<(), Failure> {
        if self.lifecycle.is_ending() {
            return Err(Failure::stopping());
        }
        // EXIT is accepted even under overload: it frees the resources.
        if let Some(overload) = self.overload.filter(|_| kind != CallKind::Exit) {
            return Err(Failure::new(FailureCode::Overloaded, overload));
        }
        awaited.map_or(Ok(()), |head| self.check_chain(head))?;
        // A call behind an INIT, or during the start, is accepted on the assumption that it succeeds.
        let may_have_tasks = self.lifecycle.is_initialized()
            || self.lifecycle.is_starting()
            || self.calls.has_init();
        if kind == CallKind::Exec && !may_have_tasks {
            return Err(not_initialized());
        }
        if !self.calls.make_room(message) {
            let text = format!("{} calls wait already; try again later", self.calls.len());
            return Err(Failure::new(FailureCode::Overloaded, text));
        }
        Ok(())
    }
}

/// The failure of a call that is cancelled before it runs.
pub(super) fn cancelled() -> Failure {
    Failure::new(FailureCode::Cancelled, "the call was cancelled before it began")
}

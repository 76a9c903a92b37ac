//! Which calls a server accepts. Accepted calls are queued.

use bgpy_proto::{CallKind, Delivered, Failure, FailureCode, Request, ServerSession, Want};

use super::calls::{Calls, Waiting};
use super::lifecycle::{Lifecycle, not_initialized};

/// What decides about a request.
#[derive(Debug)]
pub(super) struct Admission<'a> {
    pub(super) calls: &'a mut Calls,
    pub(super) lifecycle: &'a mut Lifecycle,
    /// Why all calls but EXIT are refused, if they are.
    pub(super) overload: Option<&'a str>,
    /// Whether each call is acked on acceptance, and not only one whose caller asks for that.
    pub(super) acks_at_once: bool,
}

impl Admission<'_> {
    /// Queues, refuses or cancels a call; returns any other request.
    pub(super) fn admit(
        &mut self,
        session: &mut ServerSession,
        connection: usize,
        request: Request,
    ) -> Option<Request> {
        match request {
            // An EXIT stays: other calls may have been refused because of it.
            Request::Cancel { id } if self.lifecycle.is_exit(connection, id) => {}
            Request::Cancel { id } => self.calls.cancel(connection, id),
            Request::Call { id, kind, want, message } => {
                if let Err(failure) = self.check(kind, &message) {
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
                self.calls.push(Waiting { connection, id, kind, message });
            }
            other => return Some(other),
        }
        None
    }

    fn check(&mut self, kind: CallKind, message: &Delivered) -> Result<(), Failure> {
        if self.lifecycle.is_ending() {
            return Err(Failure::stopping());
        }
        // EXIT is accepted even under overload: it frees the resources.
        if let Some(overload) = self.overload.filter(|_| kind != CallKind::Exit) {
            return Err(Failure::new(FailureCode::Overloaded, overload));
        }
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

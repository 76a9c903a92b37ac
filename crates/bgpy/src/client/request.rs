//! Requests on a connection: calls, and questions about the server.

use std::sync::Arc;

use bgpy_proto::client::Event;
use bgpy_proto::{
    AbortReply, AbortRequest, CallHead, CallKind, ClientSession, DebugReply, DebugRequest, Failure,
    FailureCode, LogReply, LogRequest, MethodTable, MethodsReply, Payload, Status, Want, limits,
};

use super::call::{Call, Response};
use super::link::{Link, too_late};
use super::restart_wait::has_tasks;
use crate::deadlock::{self, Waiting};
use crate::error::{CallError, Lost};
use crate::wait::Wait;

/// Whether a server has its tasks, and none of its clients is just giving it some.
fn has_begun_to_serve(status: &Status) -> bool {
    has_tasks(status) && status.task.as_deref() != Some("init_task")
}

impl Link {
    /// Checks that the server accepts calls on this connection.
    pub(super) fn check_load(&self) -> Result<(), CallError> {
        let Some(why) = &self.hello.overloaded else { return Ok(()) };
        let text = format!(
            "{why}: try again when it has closed some, or start it with a higher limit (ulimit -n)"
        );
        let failure = Box::new(Failure::new(FailureCode::Overloaded, text));
        Err(CallError::refused(&self.server, failure))
    }

    /// Makes a call and returns when the server has accepted it.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn accepted(
        self: &Arc<Self>,
        kind: CallKind,
        payload: Payload,
        wait: &Wait<'_>,
    ) -> Result<(), CallError> {
        // Nobody waits for its end.
        let mut call = self.begin(kind, Want::Ack, &CallHead::default(), payload, wait)?;
        match call.event(wait)? {
            Event::Accepted => call.done(()),
            event => Err(call.failed(event)),
        }
    }

    /// Makes a call and returns its first response.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn first(
        self: &Arc<Self>,
        kind: CallKind,
        payload: Payload,
        wait: &Wait<'_>,
    ) -> Result<Response, CallError> {
        self.first_headed(kind, self.head(wait), payload, wait)
    }

    /// Calls a method and returns what that returns. If the time is over first, the call is cancelled.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn method(
        self: &Arc<Self>,
        name: &str,
        arguments: Payload,
        wait: &Wait<'_>,
    ) -> Result<Response, CallError> {
        let method = Some(name.to_owned());
        let head = CallHead { method, attached: true, ..self.head(wait) };
        self.first_headed(CallKind::Exec, head, arguments, wait)
    }

    fn first_headed(
        self: &Arc<Self>,
        kind: CallKind,
        head: CallHead,
        payload: Payload,
        wait: &Wait<'_>,
    ) -> Result<Response, CallError> {
        let _waiting = self.waiting()?;
        let mut call = self.begin(kind, Want::First, &head, payload, wait)?;
        let response = call.next(wait)?;
        response.ok_or_else(|| CallError::NoResponse { server: self.server.clone() })
    }

    /// Sends the tasks; `false` if the server was already initialized.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn initialize(
        self: &Arc<Self>,
        payload: Payload,
        wait: &Wait<'_>,
    ) -> Result<bool, CallError> {
        let _waiting = self.waiting()?;
        let mut call = self.begin(CallKind::Init, Want::All, &self.head(wait), payload, wait)?;
        loop {
            match call.event(wait)? {
                // The responses of `init_task` do not matter, only its end.
                Event::Accepted
                | Event::Response { .. }
                | Event::Progress(_)
                | Event::NoMemory { last: false, .. } => {}
                Event::Ended { already } => return call.done(!already),
                event => return Err(call.failed(event)),
            }
        }
    }

    /// Sends what makes the server's object; `false` if the server was already initialized.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn start_service(
        self: &Arc<Self>,
        payload: Payload,
        wait: &Wait<'_>,
    ) -> Result<bool, CallError> {
        self.check_services()?;
        self.initialize(payload, wait)
    }

    /// Asks for the status.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn status(self: &Arc<Self>, wait: &Wait<'_>) -> Result<Status, CallError> {
        let mut call = self.submit(wait, |session| Ok(session.status()))?;
        match call.event(wait)? {
            Event::Status(status) => call.done(*status),
            event => Err(call.failed(event)),
        }
    }

    /// Asks for a piece of the server's log. The cursor of the reply asks for the next piece; to
    /// follow the log, repeat that periodically.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn log(
        self: &Arc<Self>,
        request: &LogRequest,
        wait: &Wait<'_>,
    ) -> Result<LogReply, CallError> {
        let mut call = self.submit(wait, |session| Ok(session.log(request)))?;
        match call.event(wait)? {
            Event::Log(reply) => call.done(*reply),
            event => Err(call.failed(event)),
        }
    }

    /// Asks for the methods of the server's object. A server that is starting answers once it has started.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::NoMethods`] if the server has none.
    pub fn methods(self: &Arc<Self>, wait: &Wait<'_>) -> Result<MethodTable, CallError> {
        self.check_services()?;
        let _waiting = match self.waiting() {
            // A server that has started answers also while its task waits, such as one that was passed a proxy of it.
            Err(_) if has_begun_to_serve(&self.status(wait)?) => None,
            waiting => Some(waiting?),
        };
        let mut call = self.submit(wait, |session| Ok(session.methods()))?;
        let reply = match call.event(wait)? {
            Event::Methods(reply) => call.done(*reply)?,
            event => return Err(call.failed(event)),
        };
        match reply {
            MethodsReply::Table(table) => Ok(table),
            MethodsReply::Refused { error } => {
                Err(CallError::NoMethods { server: self.server.clone(), why: error })
            }
        }
    }

    /// Checks that the server understands methods.
    pub(super) fn check_services(&self) -> Result<(), CallError> {
        if self.hello.services {
            return Ok(());
        }
        let (server, bgpy) = (self.server.clone(), self.hello.bgpy.clone());
        Err(CallError::TooOldForMethods { server, bgpy })
    }

    /// Checks that the server understands jobs.
    pub(super) fn check_jobs(&self) -> Result<(), CallError> {
        if self.hello.jobs {
            return Ok(());
        }
        let (server, bgpy) = (self.server.clone(), self.hello.bgpy.clone());
        Err(CallError::TooOldForJobs { server, bgpy })
    }

    /// Checks that the server understands jobs, and that one can have this name.
    pub(super) fn check_job(&self, job: &str) -> Result<(), CallError> {
        self.check_jobs()?;
        let (bytes, bytes_max) = (job.len(), limits::JOB_BYTES_MAX);
        if (1..=bytes_max).contains(&bytes) {
            return Ok(());
        }
        let text =
            format!("there is no job whose name has {bytes} bytes: it has from 1 to {bytes_max}");
        let failure = Box::new(Failure::new(FailureCode::NoJob, text));
        Err(CallError::refused(&self.server, failure))
    }

    /// Asks a debug question.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Failed`] if the server refuses it.
    pub fn debug(
        self: &Arc<Self>,
        request: &DebugRequest,
        wait: &Wait<'_>,
    ) -> Result<DebugReply, CallError> {
        if !self.hello.debug {
            let (server, bgpy) = (self.server.clone(), self.hello.bgpy.clone());
            return Err(CallError::CannotDebug { server, bgpy });
        }
        let mut call = self.submit(wait, |session| Ok(session.debug(request)))?;
        let reply = match call.event(wait)? {
            Event::Debug(reply) => call.done(*reply)?,
            event => return Err(call.failed(event)),
        };
        let DebugReply::Refused { error } = reply else { return Ok(reply) };
        let failure = Box::new(Failure::new(FailureCode::Refused, error));
        Err(CallError::refused(&self.server, failure))
    }

    /// Asks to cancel a call of any client.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::CannotCancel`] if the server does not understand it.
    pub fn abort(
        self: &Arc<Self>,
        request: &AbortRequest,
        wait: &Wait<'_>,
    ) -> Result<AbortReply, CallError> {
        if !self.hello.calls {
            let (server, bgpy) = (self.server.clone(), self.hello.bgpy.clone());
            return Err(CallError::CannotCancel { server, bgpy });
        }
        request.job.as_deref().map_or(Ok(()), |job| self.check_job(job))?;
        let mut call = self.submit(wait, |session| Ok(session.abort(request)))?;
        match call.event(wait)? {
            Event::Abort(reply) => call.done(*reply),
            event => Err(call.failed(event)),
        }
    }

    /// Checks that the server responds.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn ping(self: &Arc<Self>, wait: &Wait<'_>) -> Result<(), CallError> {
        self.check_load()?;
        let mut call = self.submit(wait, |session| Ok(session.ping()))?;
        match call.event(wait)? {
            Event::Pong => call.done(()),
            event => Err(call.failed(event)),
        }
    }

    /// Waits until the server closes the connection, which it does when it ends.
    ///
    /// # Errors
    /// [`CallError`], also if the connection is lost in any other way than by the server's end.
    #[doc(hidden)]
    pub fn wait_closed(self: &Arc<Self>, wait: &Wait<'_>) -> Result<(), CallError> {
        let _waiting = self.waiting()?;
        // No answer carries this id, so the wait ends only when the connection is lost.
        let mut never = Call::new(self.clone(), u64::MAX);
        (never.accepted, never.over) = (true, true);
        match never.event(wait) {
            Err(CallError::Lost { reason: Lost::Closed | Lost::Io(_), .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(event) => Err(never.failed(event)),
        }
    }

    /// Notes that this thread waits for the server.
    ///
    /// # Errors
    /// [`CallError::WouldDeadlock`] if this thread runs a task that the server has to end first.
    #[inline]
    pub(super) fn waiting(&self) -> Result<Waiting, CallError> {
        Waiting::begin(self.hello.instance, self.hello.pid)
            .ok_or_else(|| CallError::WouldDeadlock { server: self.server.clone() })
    }

    /// The head of a call that this thread waits for.
    pub fn head(&self, wait: &Wait<'_>) -> CallHead {
        let left = wait.until_deadline().map(|left| left.as_millis());
        let left_ms = left.map(|left| u64::try_from(left).unwrap_or(u64::MAX));
        CallHead { left_ms, chain: deadlock::chain(), ..CallHead::default() }
    }

    /// Sends a call. Its head is left out if the server does not understand it.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn begin(
        self: &Arc<Self>,
        kind: CallKind,
        want: Want,
        head: &CallHead,
        payload: Payload,
        wait: &Wait<'_>,
    ) -> Result<Call, CallError> {
        self.begin_with(kind, want, head, payload, wait, false)
    }

    /// Like [`begin`](Self::begin), for a call that may be one of many: if another one was sent just before, it
    /// waits a moment for more, to leave with them.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn begin_soon(
        self: &Arc<Self>,
        kind: CallKind,
        want: Want,
        head: &CallHead,
        payload: Payload,
        wait: &Wait<'_>,
    ) -> Result<Call, CallError> {
        self.begin_with(kind, want, head, payload, wait, true)
    }

    fn begin_with(
        self: &Arc<Self>,
        kind: CallKind,
        want: Want,
        head: &CallHead,
        mut payload: Payload,
        wait: &Wait<'_>,
        lingers: bool,
    ) -> Result<Call, CallError> {
        // Dropped outside any lock: dropping it may need the GIL.
        let _shared = payload.shared();
        if kind != CallKind::Exit {
            self.check_load()?;
        }
        if head.method.is_some() {
            self.check_services()?;
        }
        let segments = self.segments.as_ref().filter(|_| !payload.buffers.is_empty());
        let loans = segments.map(|segments| segments.lend(&mut payload));
        let mut call = self.submit_soon(wait, lingers, |session| {
            session.call_headed(kind, want, head, payload).map_err(CallError::Message)
        })?;
        call.is_stream = head.window.is_some();
        call.is_of_method = head.method.is_some();
        call.awaits_job = head.job.is_some() && want == Want::First;
        call.ends_with_ack = want == Want::Ack;
        call.ends = kind == CallKind::Exit;
        if let Some(loans) = loans {
            loans.sent();
        }
        Ok(call)
    }

    pub(super) fn submit(
        self: &Arc<Self>,
        wait: &Wait<'_>,
        request: impl FnOnce(&mut ClientSession) -> Result<u64, CallError>,
    ) -> Result<Call, CallError> {
        self.submit_soon(wait, false, request)
    }

    fn submit_soon(
        self: &Arc<Self>,
        wait: &Wait<'_>,
        lingers: bool,
        request: impl FnOnce(&mut ClientSession) -> Result<u64, CallError>,
    ) -> Result<Call, CallError> {
        let is_late = self.is_ending();
        let sent = self.turn_to_write(wait).and_then(|mut state| {
            let id = request(&mut state.session)?;
            let mut call = Call::new(self.clone(), id);
            call.is_late = is_late;
            let flushed =
                if lingers { self.flush_soon(state, wait) } else { self.flush(state, wait) };
            match flushed {
                // The call's event says that it was refused.
                Err(CallError::Lost { .. }) if self.is_over() => Ok(call),
                flushed => flushed.map(|()| call),
            }
        });
        sent.map_err(|error| if is_late { too_late(error) } else { error })
    }
}

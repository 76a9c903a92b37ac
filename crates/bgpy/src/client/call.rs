//! A call under way, from its start to its last event.

use std::sync::Arc;
use std::time::Duration;

use bgpy_proto::client::Event;
use bgpy_proto::{Delivered, Failure, FailureCode, Payload, Progress};

use super::link::{Link, too_late};
use super::reading::WaitEnd;
use crate::error::{CallError, Lost};
use crate::sync::lock;
use crate::wait::{Wait, Withdrawal};

/// How long the server may take to say that a call that waits is cancelled.
const WITHDRAWAL: Duration = Duration::from_secs(5);

/// A call under way. Dropping it cancels the call if it has not ended: one that waits on the server does not run,
/// and a stream, or a call whose caller was interrupted, is interrupted if it runs.
#[derive(Debug)]
pub struct Call {
    pub(super) link: Arc<Link>,
    pub(super) id: u64,
    pub(super) accepted: bool,
    pub(super) over: bool,
    /// Whether it is an EXIT.
    pub(super) ends: bool,
    /// Whether the server had already accepted an EXIT on this connection.
    pub(super) is_late: bool,
    /// Whether the ack is all that its caller waits for.
    pub(super) ends_with_ack: bool,
    /// Whether its responses are a stream.
    pub(super) is_stream: bool,
    /// Whether a method is called.
    pub(super) is_of_method: bool,
    /// Whether it waits for a job, which goes on without it.
    pub(super) awaits_job: bool,
    /// Whether the caller was interrupted while it waited.
    pub(super) was_interrupted: bool,
}

/// A response of a task.
#[derive(Debug)]
pub struct Response {
    /// The value of the response.
    pub message: Delivered,
    /// Whether the task marked it as an error.
    pub error: bool,
}

/// What happens to a call next.
#[derive(Debug)]
pub enum Step {
    /// The task has responded.
    Response(Response),
    /// How far the call has come.
    Progress(Progress),
    /// The task calls a function of the caller's, and waits for its [result](CallHandle::return_from_callback).
    Callback {
        /// The number of the callback in the call.
        number: u32,
        /// Which function, and its arguments.
        message: Delivered,
    },
    /// The call has ended.
    Ended,
}

/// What an event means for a call that waits for responses.
#[derive(Debug)]
pub(super) enum Course {
    Accepted,
    Response { response: Response, is_last: bool },
    Aside(Step),
    Ended,
    Failed(Event),
}

impl Course {
    pub(super) fn of(event: Event) -> Self {
        match event {
            Event::Accepted => Self::Accepted,
            Event::Response { message, error, last } => {
                Self::Response { response: Response { message, error }, is_last: last }
            }
            Event::Ended { .. } => Self::Ended,
            Event::Progress(progress) => Self::Aside(Step::Progress(*progress)),
            Event::Callback { number, message } => Self::Aside(Step::Callback { number, message }),
            event => Self::Failed(event),
        }
    }
}

/// Whether a call was refused, so that an EXIT has no effect. A call whose task raised was not
/// refused.
pub(super) fn is_refused(event: &Event) -> bool {
    matches!(event, Event::Failed { failure, .. } if failure.code != FailureCode::Task)
}

impl Call {
    pub(super) fn new(link: Arc<Link>, id: u64) -> Self {
        Self {
            link,
            id,
            accepted: false,
            over: false,
            ends: false,
            is_late: false,
            ends_with_ack: false,
            is_stream: false,
            is_of_method: false,
            awaits_job: false,
            was_interrupted: false,
        }
    }

    /// Waits for the next response; `None` if the call has ended. Progress is passed over, and callbacks fail.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn next(&mut self, wait: &Wait<'_>) -> Result<Option<Response>, CallError> {
        loop {
            match self.step(wait)? {
                Step::Response(response) => return Ok(Some(response)),
                Step::Ended => return Ok(None),
                Step::Progress(_) => {}
                Step::Callback { number, .. } => self.refuse_callback(number, wait)?,
            }
        }
    }

    /// Answers a callback whose function this caller does not have.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn refuse_callback(&self, number: u32, wait: &Wait<'_>) -> Result<(), CallError> {
        let failure = Failure::new(FailureCode::Refused, "the caller has no callbacks");
        self.handle().return_from_callback(number, Err(&failure), wait)
    }

    /// Waits for what happens next.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn step(&mut self, wait: &Wait<'_>) -> Result<Step, CallError> {
        loop {
            if self.over {
                return Ok(Step::Ended);
            }
            let event = self.event(wait)?;
            if let Some(step) = self.step_of(event, wait)? {
                return Ok(step);
            }
        }
    }

    /// What has happened next; `None` if nothing has arrived. Reads nothing: others who wait on the connection do,
    /// or [`Link::pump`].
    ///
    /// # Errors
    /// [`CallError`].
    pub fn try_step(&mut self) -> Result<Option<Step>, CallError> {
        loop {
            if self.over {
                return Ok(Some(Step::Ended));
            }
            let Some(event) =
                self.link.try_event(self.id).map_err(|end| self.wait_ended(end, None))?
            else {
                return Ok(None);
            };
            if let Some(step) = self.step_of(event, &Wait::at_most(Duration::ZERO))? {
                return Ok(Some(step));
            }
        }
    }

    fn step_of(&mut self, event: Event, wait: &Wait<'_>) -> Result<Option<Step>, CallError> {
        let step = match Course::of(event) {
            Course::Accepted if self.ends_with_ack => {
                self.over = true;
                Step::Ended
            }
            Course::Accepted => {
                self.accepted = true;
                return Ok(None);
            }
            Course::Response { response, is_last } => {
                self.over |= is_last;
                Step::Response(response)
            }
            Course::Aside(step) => {
                self.accepted = true;
                step
            }
            Course::Ended => {
                self.over = true;
                Step::Ended
            }
            Course::Failed(event) => {
                let failed = self.failed(event);
                // A response without memory was taken, too.
                let _ = self.link.send_queued();
                return Err(failed);
            }
        };
        if self.is_stream && !self.over {
            // What the reader has taken makes room for more.
            self.link.send_queued().map_err(|end| self.wait_ended(end, Some(wait)))?;
        }
        Ok(Some(step))
    }

    /// What other threads may say to the server about the call meanwhile.
    pub fn handle(&self) -> CallHandle {
        CallHandle { link: self.link.clone(), id: self.id }
    }

    /// Lets the call run without a caller: dropping it cancels nothing.
    pub fn detach(mut self) {
        if !std::mem::replace(&mut self.over, true) && self.link.is_here() {
            lock(&self.link.state).session.forget(self.id);
        }
    }

    /// The connection that it is on.
    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Whether its end was heard.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Whether the server is known to have accepted it.
    pub fn is_accepted(&self) -> bool {
        self.accepted
    }

    pub(super) fn event(&mut self, wait: &Wait<'_>) -> Result<Event, CallError> {
        let mut event = self.link.next_event(self.id, wait);
        if matches!(event, Err(WaitEnd::Interrupted))
            && let Some(withdrawal) = wait.withdrawal()
            && !self.over
        {
            event = self.withdraw(withdrawal);
        }
        let event = event.map_err(|end| self.wait_ended(end, Some(wait)))?;
        if self.ends && !is_refused(&event) {
            self.link.note_end();
        }
        Ok(event)
    }

    /// Cancels the call of an interrupted caller, and waits until it is certain that it does not run. If it has
    /// run, its event counts.
    fn withdraw(&mut self, withdrawal: &Withdrawal) -> Result<Event, WaitEnd> {
        let wait = Wait::at_most(WITHDRAWAL);
        if self.handle().cancel(&wait).is_err() {
            return Err(WaitEnd::Interrupted);
        }
        loop {
            match self.link.next_event(self.id, &wait) {
                Ok(Event::Accepted) => self.accepted = true,
                Ok(Event::Failed { failure, .. }) if failure.code == FailureCode::Cancelled => {
                    self.over = true;
                    return Err(WaitEnd::Interrupted);
                }
                Ok(event) => {
                    withdrawal.fail();
                    return Ok(event);
                }
                Err(_) => return Err(WaitEnd::Interrupted),
            }
        }
    }

    pub(super) fn wait_ended(&mut self, end: WaitEnd, wait: Option<&Wait<'_>>) -> CallError {
        match (end, wait) {
            (WaitEnd::Timeout, Some(wait)) if self.awaits_job => self.link.job_timed_out(wait),
            (WaitEnd::Timeout, Some(wait)) => {
                // Nobody else will have the result.
                self.was_interrupted |= self.is_of_method;
                let error = self.link.timed_out(wait, self.accepted);
                error.of_cancelled_call(self.is_of_method)
            }
            (WaitEnd::Timeout | WaitEnd::Interrupted, _) => {
                self.was_interrupted = true;
                CallError::Interrupted
            }
            (WaitEnd::Lost(reason), _) if self.is_late => too_late(self.link.lost(reason)),
            (WaitEnd::Lost(reason), _) => self.link.lost(reason),
        }
    }

    /// Notes that the call is over.
    pub(super) fn done<T>(&mut self, result: T) -> Result<T, CallError> {
        self.over = true;
        Ok(result)
    }

    pub(super) fn failed(&mut self, event: Event) -> CallError {
        self.over = true;
        match event {
            Event::Failed { failure, exceptions } => {
                let (server, is_of_method) = (self.link.server.clone(), self.is_of_method);
                CallError::Failed { server, failure, exceptions, is_of_method }
            }
            Event::NoMemory { bytes, last } => {
                self.over = last;
                CallError::Memory { server: self.link.server.clone(), bytes }
            }
            // The session passes on only events that fit the request.
            _ => self.link.lost(self.link.lose(Lost::Closed)),
        }
    }
}

/// A call, for those who do not wait for it.
#[derive(Debug, Clone)]
pub struct CallHandle {
    link: Arc<Link>,
    id: u64,
}

impl CallHandle {
    /// Asks the server to cancel the call, even if it runs. How it has ended, its next [steps](Call::step) tell.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::CannotCancel`] if the server does not understand it.
    pub fn cancel(&self, wait: &Wait<'_>) -> Result<(), CallError> {
        if !self.link.hello.calls {
            let (server, bgpy) = (self.link.server.clone(), self.link.hello.bgpy.clone());
            return Err(CallError::CannotCancel { server, bgpy });
        }
        let mut state = self.link.turn_to_write(wait)?;
        state.session.interrupt(self.id);
        self.link.flush(state, wait)
    }

    /// Like [`return_from_callback`](Self::return_from_callback), but only queues it.
    ///
    /// # Errors
    /// [`CallError::Message`] if the server does not accept the result.
    pub fn queue_return(
        &self,
        number: u32,
        outcome: Result<Payload, &Failure>,
    ) -> Result<(), CallError> {
        let mut state = lock(&self.link.state);
        let queued = state.session.return_from_callback(self.id, number, outcome);
        queued.map_err(CallError::Message)
    }

    /// Sends what a callback has returned, or why it has not. Does nothing if the call is over.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Message`] if the server does not accept the result, which then is to be
    /// replaced by a failure.
    pub fn return_from_callback(
        &self,
        number: u32,
        outcome: Result<Payload, &Failure>,
        wait: &Wait<'_>,
    ) -> Result<(), CallError> {
        let mut state = self.link.turn_to_write(wait)?;
        let sent = state.session.return_from_callback(self.id, number, outcome);
        sent.map_err(CallError::Message)?;
        self.link.flush(state, wait)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.over || !self.link.is_here() {
            return;
        }
        let mut state = lock(&self.link.state);
        if state.lost.is_some() || state.writing {
            state.session.forget(self.id);
            return;
        }
        // The cancel only saves the server work: if it does not fit the socket at once, the connection
        // is given up instead of waiting.
        if self.is_stream || self.was_interrupted {
            state.session.abandon(self.id);
        } else {
            state.session.cancel(self.id);
        }
        let sent = self.link.send(&mut state.session.outbox);
        let stuck = sent.is_err() || !state.session.outbox.is_empty();
        drop(state);
        if stuck {
            self.link.lose(Lost::Dropped);
        }
    }
}

//! A call under way, from its start to its last event.

use std::sync::Arc;

use bgpy_proto::client::Event;
use bgpy_proto::{Delivered, FailureCode};

use super::link::{Link, too_late};
use super::reading::WaitEnd;
use crate::error::{CallError, Lost};
use crate::sync::lock;
use crate::wait::Wait;

/// A call under way. Dropping it cancels the call if it has not ended.
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
}

/// A response of a task.
#[derive(Debug)]
pub struct Response {
    /// The value of the response.
    pub message: Delivered,
    /// Whether the task marked it as an error.
    pub error: bool,
}

/// What an event means for a call that waits for responses.
#[derive(Debug)]
pub(super) enum Course {
    Accepted,
    Response { response: Response, is_last: bool },
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
        Self { link, id, accepted: false, over: false, ends: false, is_late: false }
    }

    /// Waits for the next response; `None` if the call has ended.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn next(&mut self, wait: &Wait<'_>) -> Result<Option<Response>, CallError> {
        loop {
            if self.over {
                return Ok(None);
            }
            match Course::of(self.event(wait)?) {
                Course::Accepted => self.accepted = true,
                Course::Response { response, is_last } => {
                    self.over |= is_last;
                    return Ok(Some(response));
                }
                Course::Ended => self.over = true,
                Course::Failed(event) => return Err(self.failed(event)),
            }
        }
    }

    pub(super) fn event(&mut self, wait: &Wait<'_>) -> Result<Event, CallError> {
        let event = self.link.next_event(self.id, wait).map_err(|end| match end {
            WaitEnd::Timeout => self.link.timed_out(wait, self.accepted),
            WaitEnd::Interrupted => CallError::Interrupted,
            WaitEnd::Lost(reason) if self.is_late => too_late(self.link.lost(reason)),
            WaitEnd::Lost(reason) => self.link.lost(reason),
        })?;
        if self.ends && !is_refused(&event) {
            self.link.note_end();
        }
        Ok(event)
    }

    /// Notes that the call is over.
    pub(super) fn done<T>(&mut self, result: T) -> Result<T, CallError> {
        self.over = true;
        Ok(result)
    }

    pub(super) fn failed(&mut self, event: Event) -> CallError {
        self.over = true;
        match event {
            Event::Failed { failure, object } => {
                CallError::Failed { server: self.link.server.clone(), failure, object }
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
        state.session.cancel(self.id);
        let sent = self.link.send(&mut state.session.outbox);
        let stuck = sent.is_err() || !state.session.outbox.is_empty();
        drop(state);
        if stuck {
            self.link.lose(Lost::Dropped);
        }
    }
}

//! The path from a task back to its caller.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bgpy_proto::{CallHead, Failure, Payload, Progress, ProtocolError, Room};

use super::calls::Waiting;
use super::cancellation::Cancellation;
use super::control::{Returned, Steering};
use crate::platform;

/// Sends the answers of calls: a server, or a substitute in the test of an executor.
pub trait Answers: Send + Sync {
    /// Whether the caller still waits for a response.
    fn wants_response(&self, connection: usize, id: u64) -> bool;

    /// Whether the caller accepts pickles.
    fn takes_pickles(&self, connection: usize, id: u64) -> bool;

    /// Whether the task may respond now; see [`Reply::await_room`].
    fn room(&self, connection: usize, id: u64) -> Room;

    /// See [`Reply::respond`].
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] if the payload has too many buffers.
    fn respond(
        &self,
        connection: usize,
        id: u64,
        payload: Payload,
        error: bool,
    ) -> Result<bool, ProtocolError>;

    /// See [`Reply::respond_last`].
    ///
    /// # Errors
    /// As for [`respond`](Self::respond).
    fn respond_last(
        &self,
        connection: usize,
        id: u64,
        payload: Payload,
    ) -> Result<bool, ProtocolError>;

    /// See [`Reply::end`].
    fn over(&self, number: u64, outcome: Result<(), Failure>);

    /// See [`Reply::callback`].
    ///
    /// # Errors
    /// As for [`respond`](Self::respond).
    fn callback(
        &self,
        connection: usize,
        id: u64,
        payload: Payload,
    ) -> Result<Option<u32>, ProtocolError>;
}

/// The way back to the caller of one call. May be kept and used from any thread.
#[derive(Clone)]
pub struct Reply {
    /// Weak, so that a kept reply does not keep the sockets of an ended server open.
    answers: Weak<dyn Answers>,
    steering: Arc<Steering>,
    /// The requests to cancel the call, and perhaps others that run on the same thread.
    cancellation: Arc<Cancellation>,
    /// The fork generation of the server's process.
    process: u32,
    /// Connection and id of the call; `None` for a task without a caller.
    call: Option<(usize, u64)>,
    /// The server's number for the call; 0 for a task without a caller.
    number: u64,
    deadline: Option<Instant>,
    /// What the caller says beside the message.
    head: Option<Arc<CallHead>>,
}

/// How long a stream goes on before other streams have their turn.
const SLICE: Duration = Duration::from_millis(1);

/// How a callback stands.
#[derive(Debug)]
pub enum CallbackState {
    /// The caller has not answered.
    Waiting,
    /// It has.
    Returned(Returned),
    /// The caller does not wait for the call (any more), and will not answer.
    Gone,
}

impl Reply {
    /// For a call with an id on a connection, or for a task without a caller, in the answering
    /// process.
    pub fn new(answers: Weak<dyn Answers>, call: Option<(usize, u64)>) -> Self {
        let steering = Arc::<Steering>::default();
        Self {
            answers,
            cancellation: steering.cancellation.clone(),
            steering,
            process: platform::fork_generation(),
            call,
            number: 0,
            deadline: None,
            head: None,
        }
    }

    /// For a call that the server runs.
    pub(super) fn to_call(
        answers: Weak<dyn Answers>,
        steering: Arc<Steering>,
        process: u32,
        call: &Waiting,
    ) -> Self {
        Self {
            answers,
            cancellation: steering.cancellation.clone(),
            steering,
            process,
            call: Some((call.connection, call.id)),
            number: call.number,
            deadline: call.deadline,
            head: call.head.clone(),
        }
    }

    /// The method that is called; `None` for `exec_task`.
    pub fn method(&self) -> Option<&str> {
        self.head.as_ref()?.method.as_deref()
    }

    /// Whether the responses are a stream, which takes them only [as fast as they are read](Self::await_room).
    pub fn is_stream(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.window.is_some())
    }

    /// When the caller's time is over, if it has a deadline.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The caller's trace context, in the form of a W3C `traceparent`.
    pub fn trace(&self) -> Option<&str> {
        self.head.as_ref()?.trace.as_deref()
    }

    /// The server's number for the call; 0 for a task without a caller.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The same way back, for a call that runs beside others and is cancelled by itself.
    pub(super) fn beside(self, cancellation: Arc<Cancellation>) -> Self {
        Self { cancellation, ..self }
    }

    /// The way back for a call that the executor is to run [between others](super::Pace::Apart), and its requests to
    /// cancel.
    pub fn apart(&self) -> (Self, Arc<Cancellation>) {
        let cancellation = Arc::new(Cancellation::of(self.number));
        (self.clone().beside(cancellation.clone()), cancellation)
    }

    /// Ends a call that the executor has run between others.
    pub fn end(&self, outcome: Result<(), Failure>) {
        if let Some(answers) = self.here() {
            answers.over(self.number, outcome);
        }
    }

    /// The requests to cancel the call that runs.
    pub fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }

    /// Whether the executing thread is to leave this call to others, which it began or resumed at this moment.
    pub fn gives_way(&self, since: Instant) -> bool {
        let Steering { has_waiting, suspended, .. } = &*self.steering;
        has_waiting.load(Ordering::Relaxed)
            || suspended.load(Ordering::Relaxed) > 0 && since.elapsed() > SLICE
    }

    /// Whether the task may respond now.
    pub fn room(&self) -> Room {
        let call = self.here().zip(self.call);
        call.map_or(Room::Gone, |(answers, (connection, id))| answers.room(connection, id))
    }

    /// Whether this call runs and was asked to end.
    pub fn is_cancelled(&self) -> bool {
        !self.is_in_child() && self.cancellation().is_requested_for(self.number)
    }

    /// Tells how far the call has come. Never blocks; the caller hears of it a moment later, and not of each.
    pub fn progress(&self, progress: Progress) {
        if !self.is_in_child() {
            self.steering.progress.set(self.number, progress);
        }
    }

    /// Waits up to `limit` until the reader of a stream has made room for another response.
    pub fn await_room(&self, limit: Duration) -> Room {
        let Some((answers, (connection, id))) = self.here().zip(self.call) else {
            return Room::Gone;
        };
        let count = self.steering.news.count();
        let room = answers.room(connection, id);
        if room != Room::Full {
            return room;
        }
        self.steering.news.wait(count, limit);
        answers.room(connection, id)
    }

    /// Calls a function of the caller's, and returns the number of the callback; `None` if the caller does not wait
    /// (any more).
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] if the payload has too many buffers, [`ProtocolError::Unwelcome`] if it is
    /// longer than the client accepts.
    pub fn callback(&self, payload: Payload) -> Result<Option<u32>, ProtocolError> {
        let Some((answers, (connection, id))) = self.here().zip(self.call) else { return Ok(None) };
        answers.callback(connection, id, payload)
    }

    /// Waits up to `limit` for the result of a callback.
    pub fn await_callback(&self, number: u32, limit: Duration) -> CallbackState {
        let Some((answers, (connection, id))) = self.here().zip(self.call) else {
            return CallbackState::Gone;
        };
        let (news, key) = (&self.steering.news, (connection, id, number));
        let count = news.count();
        let is_awaited = answers.wants_response(connection, id);
        if let Some(returned) = news.collect(key) {
            return CallbackState::Returned(returned);
        }
        if !is_awaited {
            news.forget(key);
            return CallbackState::Gone;
        }
        news.wait(count, limit);
        news.collect(key).map_or(CallbackState::Waiting, CallbackState::Returned)
    }

    /// Notes that nobody waits for the result of a callback any more.
    pub fn forget_callback(&self, number: u32) {
        if let Some((connection, id)) = self.call.filter(|_| !self.is_in_child()) {
            self.steering.news.forget((connection, id, number));
        }
    }

    /// Whether the caller still waits for a response.
    pub fn is_wanted(&self) -> bool {
        let call = self.here().zip(self.call);
        call.is_some_and(|(answers, (connection, id))| answers.wants_response(connection, id))
    }

    /// Whether the caller accepts pickles; `true` if there is no caller any more.
    pub fn takes_pickles(&self) -> bool {
        let call = self.here().zip(self.call);
        call.is_none_or(|(answers, (connection, id))| answers.takes_pickles(connection, id))
    }

    /// Sends a response; `false` if the caller does not wait for one (any more), which is no error.
    /// Sends nothing in a child forked from the server. Never blocks: what the network does not
    /// accept at once is sent later.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] if the payload has too many buffers.
    pub fn respond(&self, payload: Payload, error: bool) -> Result<bool, ProtocolError> {
        let Some((answers, (connection, id))) = self.here().zip(self.call) else {
            return Ok(false);
        };
        answers.respond(connection, id, payload, error)
    }

    /// Like [`respond`](Self::respond), with what the method of a stream has returned, which ends its call.
    ///
    /// # Errors
    /// As for [`respond`](Self::respond).
    pub fn respond_last(&self, payload: Payload) -> Result<bool, ProtocolError> {
        let Some((answers, (connection, id))) = self.here().zip(self.call) else {
            return Ok(false);
        };
        answers.respond_last(connection, id, payload)
    }

    /// Whether this process was forked from the server's: only the server answers the caller.
    pub fn is_in_child(&self) -> bool {
        self.process != platform::fork_generation()
    }

    /// The answering side, if it has not ended and this is its process.
    fn here(&self) -> Option<Arc<dyn Answers>> {
        if self.is_in_child() { None } else { self.answers.upgrade() }
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("call", &self.call).finish_non_exhaustive()
    }
}

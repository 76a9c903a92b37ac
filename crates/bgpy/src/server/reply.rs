//! The path from a task back to its caller.

use std::sync::{Arc, Weak};

use bgpy_proto::{Payload, ProtocolError};

use crate::platform;

/// Sends the answers of calls: a server, or a substitute in the test of an executor.
pub trait Answers: Send + Sync {
    /// Whether the caller still waits for a response.
    fn wants_response(&self, connection: usize, id: u64) -> bool;

    /// Whether the client of a connection accepts pickles.
    fn takes_pickles(&self, connection: usize) -> bool;

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
}

/// The way back to the caller of one call. May be kept and used from any thread.
#[derive(Clone)]
pub struct Reply {
    /// Weak, so that a kept reply does not keep the sockets of an ended server open.
    answers: Weak<dyn Answers>,
    /// The fork generation of the server's process.
    process: u32,
    /// Connection and id of the call; `None` for a task without a caller.
    call: Option<(usize, u64)>,
}

impl Reply {
    /// For a call with an id on a connection, or for a task without a caller, in the answering
    /// process.
    pub fn new(answers: Weak<dyn Answers>, call: Option<(usize, u64)>) -> Self {
        Self::of_process(answers, platform::fork_generation(), call)
    }

    /// The same, in a process whose fork generation is known.
    pub(super) fn of_process(
        answers: Weak<dyn Answers>,
        process: u32,
        call: Option<(usize, u64)>,
    ) -> Self {
        Self { answers, process, call }
    }

    /// Whether the caller still waits for a response.
    pub fn is_wanted(&self) -> bool {
        let call = self.here().zip(self.call);
        call.is_some_and(|(answers, (connection, id))| answers.wants_response(connection, id))
    }

    /// Whether the caller accepts pickles; `true` if there is no caller any more.
    pub fn takes_pickles(&self) -> bool {
        let call = self.here().zip(self.call);
        call.is_none_or(|(answers, (connection, _))| answers.takes_pickles(connection))
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

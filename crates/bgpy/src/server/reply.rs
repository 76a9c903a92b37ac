//! The way from a task back to its caller.

use std::sync::{Arc, Weak};

use bgpy_proto::{Payload, ProtocolError};

use crate::platform;

/// What sends the answers of calls: a server, or what stands for one in a test of an executor.
pub trait Answers: Send + Sync {
    /// Whether the caller of a call would still take a response.
    fn wants_response(&self, connection: usize, id: u64) -> bool;

    /// Whether the client of a connection opens pickles.
    fn takes_pickles(&self, connection: usize) -> bool;

    /// See [`Reply::respond`].
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] when the payload has too many buffers.
    fn respond(
        &self,
        connection: usize,
        id: u64,
        payload: Payload,
        error: bool,
    ) -> Result<bool, ProtocolError>;
}

/// The way back to the caller of one call. It may be kept and used from any thread.
#[derive(Clone)]
pub struct Reply {
    /// Not kept by whoever keeps this: a server that has ended leaves nothing open.
    answers: Weak<dyn Answers>,
    /// The fork generation of the server's process.
    process: u32,
    /// Connection and id of the call; none where nobody called.
    call: Option<(usize, u64)>,
}

impl Reply {
    /// For a call with an id on a connection, or for a task that nobody called, in the process that answers.
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

    /// Whether the caller would still take a response.
    pub fn is_wanted(&self) -> bool {
        let call = self.here().zip(self.call);
        call.is_some_and(|(answers, (connection, id))| answers.wants_response(connection, id))
    }

    /// Whether the caller opens pickles. Where nobody called, or the caller is gone, nobody minds.
    pub fn takes_pickles(&self) -> bool {
        let call = self.here().zip(self.call);
        call.is_none_or(|(answers, (connection, _))| answers.takes_pickles(connection))
    }

    /// Sends a response; `false` when the caller did not want one (any more), which is no error.
    /// In a child that was forked from the server it sends nothing. Never waits: what the network does not take at once leaves later.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] when the payload has too many buffers.
    pub fn respond(&self, payload: Payload, error: bool) -> Result<bool, ProtocolError> {
        let Some((answers, (connection, id))) = self.here().zip(self.call) else {
            return Ok(false);
        };
        answers.respond(connection, id, payload, error)
    }

    /// Whether this process was forked from the server's: the caller is not its own to answer.
    pub fn is_in_child(&self) -> bool {
        self.process != platform::fork_generation()
    }

    /// What answers, if it has not ended and this is its process.
    fn here(&self) -> Option<Arc<dyn Answers>> {
        if self.is_in_child() { None } else { self.answers.upgrade() }
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("call", &self.call).finish_non_exhaustive()
    }
}

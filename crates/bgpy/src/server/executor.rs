//! What runs the calls of a server.

use std::sync::{Arc, Weak};

use bgpy_proto::{Delivered, Failure, Payload, ProtocolError};

use super::reactor::Shared;
use crate::platform;

/// Runs calls, one at a time, on the thread that called [`Server::run`](super::Server::run).
pub trait Executor {
    /// Called once before any call, while clients can connect already. `true` says that the server
    /// has its tasks now and needs no INIT.
    ///
    /// # Errors
    /// A [`Failure`] ends the server before it was ready.
    fn start(&mut self) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Called once after the start, when calls are about to be run.
    fn ready(&mut self) {}

    /// Takes the tasks and runs `init_task`.
    ///
    /// # Errors
    /// A [`Failure`] for the caller; the server stays without tasks.
    fn init(&mut self, message: Delivered, reply: &Reply) -> Result<(), Failure>;

    /// Runs `exec_task`.
    ///
    /// # Errors
    /// A [`Failure`] for the caller; the server goes on with the state as it is.
    fn exec(&mut self, message: Delivered, reply: &Reply) -> Result<(), Failure>;

    /// Runs `exit_task`, also when there is no caller who asks for it (a signal, an end of a
    /// foreground server). Afterwards the server ends. Only called after a successful `init`.
    ///
    /// # Errors
    /// A [`Failure`] for the caller.
    fn exit(&mut self, message: Option<Delivered>, reply: &Reply) -> Result<(), Failure>;

    /// Called between calls when a signal has arrived.
    fn signalled(&mut self) {}

    /// Called once after the last call: what the process will wait for before it can end, in words.
    fn remains(&mut self) -> Option<String> {
        None
    }
}

/// The way back to the caller of one call. It may be kept and used from any thread.
#[derive(Clone)]
pub struct Reply {
    /// Not kept by whoever keeps this: a server that has ended leaves nothing open.
    shared: Weak<Shared>,
    /// The fork generation of the server's process.
    process: u32,
    /// Connection and id of the call; none where nobody called.
    call: Option<(usize, u64)>,
}

impl Reply {
    pub(super) fn new(shared: &Arc<Shared>, call: Option<(usize, u64)>) -> Self {
        Self { shared: Arc::downgrade(shared), process: shared.process, call }
    }

    /// Whether the caller would still take a response.
    pub fn is_wanted(&self) -> bool {
        let call = self.here().zip(self.call);
        call.is_some_and(|(shared, (connection, id))| shared.wants_response(connection, id))
    }

    /// Whether the caller opens pickles. Where nobody called, or the caller is gone, nobody minds.
    pub fn takes_pickles(&self) -> bool {
        let call = self.here().zip(self.call);
        call.is_none_or(|(shared, (connection, _))| shared.takes_pickles(connection))
    }

    /// Sends a response; `false` when the caller did not want one (any more), which is no error.
    /// In a child that was forked from the server it sends nothing. Never waits: what the network does not take at once leaves later.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] when the payload has too many buffers.
    pub fn respond(&self, payload: Payload, error: bool) -> Result<bool, ProtocolError> {
        let Some((shared, (connection, id))) = self.here().zip(self.call) else { return Ok(false) };
        shared.respond(connection, id, payload, error)
    }

    /// Whether this process was forked from the server's: the caller is not its own to answer.
    pub fn is_in_child(&self) -> bool {
        self.process != platform::fork_generation()
    }

    /// The server, if it has not ended and this is its process.
    fn here(&self) -> Option<Arc<Shared>> {
        if self.is_in_child() { None } else { self.shared.upgrade() }
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("call", &self.call).finish_non_exhaustive()
    }
}

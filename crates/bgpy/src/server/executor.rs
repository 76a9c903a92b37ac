//! What runs the calls of a server.

use bgpy_proto::{Delivered, Failure};

use super::reply::Reply;

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

/// How a server ended.
#[derive(Debug)]
pub enum Ended {
    /// As it should.
    Orderly,
    /// Its start failed.
    Start(Failure),
    /// Its `exit_task` failed.
    ExitTask(Failure),
    /// It could not go on, for a reason of its own: its sockets are gone, for example.
    Failed(String),
}

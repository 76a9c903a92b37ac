//! What runs the calls of a server.

use std::sync::Arc;

use bgpy_proto::{Delivered, Failure, MethodsReply};

use super::cancellation::{Cancellation, Interrupter};
use super::debugging::Debugger;
use super::reply::Reply;
use crate::platform::SocketBell;

/// Runs calls, one at a time, on the thread that called [`Server::run`](super::Server::run).
pub trait Executor {
    /// Called once before any call, when clients can already connect. `true` means that the server
    /// has its tasks and needs no INIT.
    ///
    /// # Errors
    /// A [`Failure`] ends the server before it is ready.
    fn start(&mut self) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Called once after the start, before the first call.
    fn ready(&mut self) {}

    /// Takes the tasks and runs `init_task`.
    ///
    /// # Errors
    /// A [`Failure`] for the caller; the server stays without tasks.
    fn init(&mut self, message: Delivered, reply: &Reply) -> Result<(), Failure>;

    /// Called once after the program has started: the methods that clients may call, if it has some.
    fn methods(&mut self) -> MethodsReply {
        MethodsReply::Refused { error: NO_METHODS.into() }
    }

    /// Runs `exec_task`, or the [method](Reply::method) that the caller has named.
    ///
    /// # Errors
    /// A [`Failure`] for the caller; the server continues with its state as it is.
    fn exec(&mut self, message: Delivered, reply: &Reply) -> Result<Pace, Failure>;

    /// Called once after the program has started: what runs the methods that [only read](bgpy_proto::methods::Runs::Read).
    /// Without one they run like all others.
    fn reader(&mut self) -> Option<Arc<dyn Reader>> {
        None
    }

    /// Runs `exit_task`, with no message if no client asked for it (a signal, or the end of a
    /// foreground server). Afterwards the server ends. Only called after a successful `init`.
    ///
    /// # Errors
    /// A [`Failure`] for the caller.
    fn exit(&mut self, message: Option<Delivered>, reply: &Reply) -> Result<(), Failure>;

    /// Goes on with the calls that it runs [between others](Pace::Apart): if it `waits`, until its bell rings or they
    /// are over, else for a moment. Returns whether it has more to do, even if all these calls are over.
    fn drive(&mut self, waits: bool) -> bool {
        let _ = waits;
        false
    }

    /// Called once after the program has started: interrupts [`drive`](Self::drive).
    fn bell(&mut self) -> Option<Arc<dyn Bell>> {
        None
    }

    /// Called once after the last call: ends those that it still runs between others.
    fn abandon(&mut self) {}

    /// Called between calls when a signal has arrived.
    fn signalled(&mut self) {}

    /// Called once before the start: what answers debug requests. Without one they are refused.
    fn debugger(&mut self) -> Option<Arc<dyn Debugger>> {
        None
    }

    /// Called once before the start, on the executing thread: what interrupts that thread when its call is cancelled.
    /// Without one, calls that run can only ask whether [they are](Reply::is_cancelled).
    fn interrupter(&mut self) -> Option<Arc<dyn Interrupter>> {
        None
    }

    /// Called once after the last call: describes what still keeps the process from exiting.
    fn remains(&mut self) -> Option<String> {
        None
    }
}

/// How far a call has come when the executing thread leaves it.
pub enum Pace {
    /// It is over.
    Over,
    /// It waits for its reader, or for others that have waited for it: meanwhile these have their turn.
    Suspended(Box<dyn Suspended>),
    /// The executor [runs it between others](Executor::drive) and [ends](Reply::end) it. This is how it hears of
    /// cancels: see [`Reply::apart`].
    Apart(Arc<Cancellation>),
}

/// Interrupts what an executor does between calls.
pub trait Bell: Send + Sync {
    /// Has [`Executor::drive`] return soon, or at once when it is called next. Must not block.
    fn ring(&self);
}

impl Bell for SocketBell {
    fn ring(&self) {
        Self::ring(self);
    }
}

/// A call that has begun and waits. Dropping it ends it.
pub trait Suspended {
    /// Whether going on would get it further.
    fn is_ready(&self) -> bool;

    /// Goes on with it, on the thread that has begun it, until it is over or waits again; `true` if it is over.
    ///
    /// # Errors
    /// A [`Failure`] for the caller, with which it is over.
    fn resume(&mut self) -> Result<bool, Failure>;
}

/// Runs calls beside each other, on threads of their own.
pub trait Reader: Send + Sync {
    /// Runs a call.
    ///
    /// # Errors
    /// A [`Failure`] for the caller.
    fn read(&self, message: Delivered, reply: &Reply) -> Result<(), Failure>;
}

impl std::fmt::Debug for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Over => "Over",
            Self::Suspended(_) => "Suspended",
            Self::Apart(_) => "Apart",
        })
    }
}

/// Why a server of tasks has no methods.
pub const NO_METHODS: &str = "it runs tasks, which have no methods";

/// How a server ended.
#[derive(Debug)]
pub enum Ended {
    /// As intended.
    Orderly,
    /// Its start failed.
    Start(Failure),
    /// Its `exit_task` failed.
    ExitTask(Failure),
    /// The server could not continue, for example because its sockets are gone.
    Failed(String),
}

//! The server: listens, accepts calls, and runs them on an [`Executor`].

mod abort;
mod admission;
mod calls;
mod cancellation;
mod connections;
mod control;
mod core;
mod debugging;
mod end;
mod executor;
mod housekeeping;
mod idle;
mod job;
mod jobs;
mod lifecycle;
mod methods;
mod options;
mod reactor;
mod readers;
mod registration;
mod reply;
mod responses;
mod retirement;
mod service;
mod setup;
mod shared;
#[cfg(test)]
pub(crate) mod simulated;
mod status;
mod stop;
mod supervisor_pipe;
mod under_way;

pub use crate::platform::SocketBell;
pub use cancellation::{Cancellation, Interrupter, ThreadInterrupter, Why};
pub use control::Returned;
pub use debugging::{Debugger, Running};
pub use executor::{Bell, Ended, Executor, NO_METHODS, Pace, Reader, Suspended};
pub use options::ServerOptions;
#[doc(hidden)]
pub use reactor::signal::SignalPipe;
pub use reply::{Answers, CallbackState, Reply};
pub use service::Service;
pub(crate) use setup::binding::Binding;
pub(crate) use setup::check_exposure;
pub use setup::listening::{Server, Stopper};
#[doc(hidden)]
pub use setup::supervised::Supervised;
pub(crate) use supervisor_pipe::SupervisorPipe;

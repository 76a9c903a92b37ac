//! The server: listens, accepts calls, and runs them on an [`Executor`].

mod calls;
mod connections;
mod core;
mod debugging;
mod end;
mod executor;
mod housekeeping;
mod options;
mod reactor;
mod registration;
mod reply;
mod service;
mod setup;
mod shared;
#[cfg(test)]
pub(crate) mod simulated;
mod status;
mod stop;
mod supervisor_pipe;

pub use debugging::{Debugger, Running};
pub use executor::{Ended, Executor};
pub use options::ServerOptions;
pub use reactor::signal::SignalPipe;
pub use reply::{Answers, Reply};
pub use service::Service;
pub use setup::binding::Binding;
pub(crate) use setup::check_exposure;
pub use setup::listening::{Server, Stopper};
pub use setup::supervised::Supervised;
pub use supervisor_pipe::SupervisorPipe;

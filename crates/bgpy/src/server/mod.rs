//! The server: listens, accepts calls, and runs them on an [`Executor`].

mod accept;
mod answers;
mod bind;
mod binding;
mod calls;
mod connection;
mod core;
mod dead_peers;
mod end;
mod ending;
mod executor;
mod kept_files;
mod leader;
mod log_limiter;
mod options;
mod overflow;
mod pending;
mod reactor;
mod ready_queue;
mod record;
mod reply;
mod reserve;
mod restore;
mod service;
mod shared;
mod signal;
#[cfg(test)]
pub(crate) mod simulated;
mod standin;
mod standin_switch;
mod status;
mod supervised;
mod supervisor_pipe;
mod throttle;
mod upkeep;
mod watched;

pub use bind::{Server, Stopper};
pub use binding::Binding;
pub use executor::{Ended, Executor};
pub use options::ServerOptions;
pub use reply::{Answers, Reply};
pub use service::Service;
pub use signal::SignalPipe;
pub use supervised::Supervised;
pub use supervisor_pipe::SupervisorPipe;

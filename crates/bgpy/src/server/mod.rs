//! The server: listens, accepts calls, and runs them on an [`Executor`].

mod accept;
mod admission;
mod answers;
mod arrivals;
mod bind;
mod calls;
mod connection;
mod core;
mod end;
mod ending;
mod executor;
mod guests;
mod kept_files;
mod leader;
mod lookout;
mod options;
mod place;
mod reactor;
mod record;
mod reply;
mod reserve;
mod rest;
mod restore;
mod service;
mod shared;
mod signal;
#[cfg(test)]
pub(crate) mod simulated;
mod standin;
mod strangers;
mod supervised;
mod supervisor_pipe;
mod turns;
mod upkeep;
mod vanished;
mod watched;

pub use bind::{Server, Stopper};
pub use executor::{Ended, Executor};
pub use options::ServerOptions;
pub use place::Place;
pub use reply::{Answers, Reply};
pub use service::Service;
pub use signal::SignalPipe;
pub use supervised::Supervised;
pub use supervisor_pipe::SupervisorPipe;

//! Clients: finding a server, shaking hands with it, and calling it.

mod absence;
mod attempt;
mod blocking;
mod call;
mod connect;
mod evented;
mod greeting;
mod handshake_retry;
mod health;
mod jobs;
mod lingering;
mod link;
mod lookup;
mod options;
mod probe;
mod proof;
mod read_state;
mod reading;
mod request;
mod restart_wait;
mod route;
mod search;
#[cfg(test)]
pub(crate) mod simulated;
mod started;
mod transfer;
mod writing;

pub use blocking::Client;
pub use call::{Call, CallHandle, Response, Step};
pub(crate) use connect::connect_to;
pub use evented::{Answer, Question};
pub use jobs::JobSubmission;
pub use link::Link;
pub use options::ClientOptions;

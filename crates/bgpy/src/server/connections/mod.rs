//! The connections of a server: who is let in, who has a turn, and what is sent to whom.

pub(super) mod accept;
mod answers;
pub(super) mod connection;
pub(super) mod dead_peers;
pub(super) mod job_answers;
pub(super) mod lingering;
pub(super) mod log_limiter;
pub(super) mod overflow;
pub(super) mod pending;
pub(super) mod ready_queue;
mod requests;
pub(super) mod reserve;
pub(super) mod throttle;

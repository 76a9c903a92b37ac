//! The reactor: the poller, the threads that take turns at it, and what wakes them.

pub(super) mod leader;
pub(super) mod poller_check;
pub(super) mod run;
pub(super) mod signal;
pub(super) mod standin;
pub(super) mod standin_switch;
mod suspended;
pub(super) mod turn;
mod turns;

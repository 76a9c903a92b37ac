//! What a server needs before it runs: its name and sockets, from the system or from a supervisor.

pub(super) mod binding;
mod entry;
mod exposure;
pub(super) mod listening;
pub(super) mod supervised;
mod token;

pub(crate) use exposure::check_exposure;

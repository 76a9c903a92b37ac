//! Windows. It has been run on Wine only: see docs/systems.md for what differs.

mod attributes;
mod background;
mod c_library;
mod command_line;
mod descriptor;
mod files;
mod fork;
mod handle;
mod job;
mod process;
mod security;
mod signal_file;
mod socket;
mod stdio;
mod stop_event;
mod supervision;
pub(crate) mod unix_socket;
pub(crate) mod wake_up;

mod bell;
pub use bell::SocketBell;

pub(crate) use background::*;
pub(crate) use descriptor::*;
pub(crate) use files::*;
pub(crate) use fork::*;
pub(crate) use job::*;
pub(crate) use process::*;
pub(crate) use security::*;
pub use signal_file::SignalFile;
pub(crate) use socket::*;
pub(crate) use stdio::*;
pub(crate) use supervision::*;

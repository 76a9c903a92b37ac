//! Windows, with what the standard library and socket2 offer. Not run so far.

mod descriptor;
mod files;
mod fork;
mod process;
mod signal_file;
mod socket;
mod stdio;
pub(crate) mod unix_socket;
pub(crate) mod wake_up;

pub(crate) use descriptor::*;
pub(crate) use files::*;
pub(crate) use fork::*;
pub(crate) use process::*;
pub use signal_file::SignalFile;
pub(crate) use socket::*;
pub(crate) use stdio::*;

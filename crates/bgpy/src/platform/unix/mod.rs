//! What all Unix systems have in common. Where they differ, it asks the file of the system.

mod background;
mod descriptor;
mod directories;
mod files;
mod fork;
mod notify;
mod own_signals;
mod path_check;
mod process;
mod signal_file;
mod sleeper;
mod socket;
mod stdio;
mod supervision;
pub(crate) mod unix_socket;
pub(crate) mod wake_up;

mod bell;
pub use bell::SocketBell;
mod write;

pub(crate) use background::*;
pub(crate) use descriptor::*;
pub(crate) use directories::*;
pub(crate) use files::*;
pub(crate) use fork::*;
pub(crate) use notify::*;
pub use own_signals::SignalsBefore;
pub(crate) use own_signals::release_signals;
pub(crate) use path_check::*;
pub(crate) use process::*;
pub use signal_file::SignalFile;
pub(crate) use sleeper::*;
pub(crate) use socket::*;
pub(crate) use stdio::*;
pub(crate) use supervision::*;
pub(crate) use write::*;

//! The process beside a background server that sees how it ends, and starts it again if told to.
//!
//! The process that was started [divides](divide) itself in two before it has done anything else: one
//! becomes the server, the other waits for its end. So exit code and signal are known whoever started
//! it, and whether that lives or not. A server that is to be started again has its name, port and
//! socket from its supervisor, which also keeps the tasks that a client gave it.
//!
//! Only Unix has supervisors.

#[cfg(unix)]
mod child;
#[cfg(unix)]
mod held;
#[cfg(unix)]
mod log;
#[cfg(unix)]
mod notice;
#[cfg(not(unix))]
mod other;
#[cfg(all(test, unix))]
mod tests;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod watch;

use std::process::ExitStatus;

use crate::config::Config;
use crate::launch::Reporter;
use crate::server::Supervised;

#[cfg(not(unix))]
pub use other::{divide, run_in_foreground};
#[cfg(unix)]
pub use unix::{divide, run_in_foreground};
#[cfg(unix)]
pub use watch::Supervisor;

/// Ends this process as another one has ended.
pub fn end_like(status: ExitStatus) -> ! {
    crate::platform::end_like(status)
}

/// Has the system keep how children of this process end, also where whoever started it ignores that.
/// For programs that are nobody's library.
pub fn keep_children() {
    crate::platform::keep_children();
}

/// Whether servers have one on this system.
pub const IS_SUPPORTED: bool = cfg!(unix);

/// What a process that was started turns out to be.
#[derive(Debug)]
pub enum Role {
    /// The server.
    Server {
        /// Where it reports to.
        reporter: Reporter,
        /// What it has to know.
        config: Box<Config>,
        /// What it has from its supervisor.
        supervised: Box<Supervised>,
    },
    /// The process that waits for the end of the server.
    #[cfg(unix)]
    Supervisor(Box<Supervisor>),
    /// Neither: there is no place for the server, and whoever started it has been told.
    Refused,
}

//! The process beside a background server that waits for its end, and restarts it if told to.
//!
//! The started process first of all [divides](divide) itself in two: one becomes the server, the
//! other waits for it. So exit code and signal are known, whoever started the server and whether
//! that process still lives. A server that may be restarted gets its name, port and socket from its
//! supervisor, which also keeps the tasks that a client sent.
//!
//! Only Unix has supervisors: they fork, and hand descriptors on. Elsewhere no value of
//! [`Supervisor`] exists.

#[cfg(not(unix))]
mod none;
#[cfg(unix)]
mod unix;

use std::process::ExitStatus;

use crate::bootstrap::StartReporter;
use crate::config::Config;
use crate::server::Supervised;

#[cfg(not(unix))]
pub use none::{IS_SUPPORTED, Supervisor, divide, run_in_foreground};
#[cfg(unix)]
pub use unix::{IS_SUPPORTED, Supervisor, divide, run_in_foreground};

/// Ends this process with the exit code or signal of another one.
pub fn end_like(status: ExitStatus) -> ! {
    crate::platform::end_like(status)
}

/// Resets SIGCHLD if it is inherited as ignored, so that children can be waited for. Only for
/// processes that belong to bgpy, not for programs that import it.
pub fn keep_children() {
    crate::platform::keep_children();
}

/// The role of a started process.
#[derive(Debug)]
pub enum Role {
    /// The server.
    Server {
        /// Where it reports to.
        reporter: StartReporter,
        /// Its configuration.
        config: Box<Config>,
        /// What its supervisor passes on.
        supervised: Box<Supervised>,
    },
    /// The process that waits for the end of the server.
    Supervisor(Box<Supervisor>),
    /// Neither: the server cannot get its name, port or socket, and the starter was told.
    Refused,
}

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
mod cord;
#[cfg(unix)]
mod estate;
#[cfg(unix)]
mod log;
#[cfg(unix)]
mod notice;
#[cfg(not(unix))]
mod other;
mod tasks;
#[cfg(all(test, unix))]
mod tests;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod watch;

use std::process::ExitStatus;

use serde::{Deserialize, Serialize};

use crate::platform::Stamp;
use crate::registry::ProcessId;
use crate::restart::Failing;
use crate::server::Place;
use crate::spawn::{Config, Reporter};

pub use cord::Cord;
pub use tasks::{FirstTasks, Staged};

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

/// What a server has from its supervisor.
#[derive(Debug, Default)]
pub struct Supervised {
    /// The supervisor.
    pub supervisor: Option<ProcessId>,
    /// How many processes have been this server before.
    pub generation: u32,
    /// How those have failed.
    pub failing: Option<Failing>,
    /// Where it is, if the supervisor keeps that for the next one.
    pub place: Option<Place>,
    /// The way to say that the place is not needed any more.
    pub cord: Option<Cord>,
    /// The tasks of the first client, if they are kept for the next one.
    pub tasks: Option<FirstTasks>,
    /// Whether standard output and error are somebody's terminal, and not the log.
    pub is_foreground: bool,
}

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

/// What a server that is started again finds in its configuration: numbers of open descriptors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inheritance {
    supervisor: ProcessId,
    generation: u32,
    is_foreground: bool,
    failing: Option<Failing>,
    cord: i32,
    claim: Option<i32>,
    tcp: i32,
    unix: Option<i32>,
    /// What tells the socket's file from another: a server that has listened anew has left one on which
    /// nobody listens any more.
    #[serde(default)]
    stamp: Stamp,
    tasks: Option<i32>,
}

//! Differences between operating systems, behind one set of functions.
//!
//! Only the Unix half has been run, on Linux; the other half is kept small and follows the same
//! contract.

mod process_id;
mod with_limit;

use std::fs::Metadata;
use std::time::{Duration, UNIX_EPOCH};

#[cfg(unix)]
mod delivery;
#[cfg(unix)]
mod descriptor;
#[cfg(unix)]
mod fork;
#[cfg(unix)]
mod home;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod sleeper;
#[cfg(unix)]
mod standing;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use delivery::*;
#[cfg(unix)]
pub(crate) use descriptor::*;
#[cfg(unix)]
pub(crate) use fork::*;
#[cfg(unix)]
pub(crate) use home::*;
#[cfg(unix)]
pub(crate) use process::*;
#[cfg(unix)]
pub(crate) use sleeper::*;
#[cfg(unix)]
pub(crate) use standing::*;
#[cfg(unix)]
pub(crate) use unix::*;

pub use process_id::{Presence, ProcessId};
pub(crate) use with_limit::WithLimit;

#[cfg(not(unix))]
mod other;
#[cfg(not(unix))]
pub(crate) use other::*;

#[cfg(target_os = "linux")]
pub(crate) mod segment;

/// The process-wide locks, which must be free in a forked child, in the order in which they may be
/// nested. Each is held only briefly, and never while waiting for anything else.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ForkLock {
    BufferPool,
    Reclaim,
    Segments,
}

impl ForkLock {
    /// The number of these locks.
    #[cfg(unix)]
    const COUNT: usize = Self::Segments as usize + 1;
}

/// What happens to such a lock around a fork.
#[derive(Debug)]
#[cfg_attr(not(unix), expect(dead_code, reason = "there are no forks"))]
pub(crate) struct ForkHooks {
    /// Takes the lock, and prepares what it guards for the child.
    pub(crate) before: fn(),
    /// Releases the lock; the argument is `true` in the child.
    pub(crate) after: fn(bool),
}

/// The socket for notifications to a service manager: see sd_notify(3).
pub(crate) const NOTIFY_VARIABLE: &str = "NOTIFY_SOCKET";

/// A file that discards what is written to it.
#[cfg(unix)]
pub(crate) const NOWHERE: &str = "/dev/null";
#[cfg(not(unix))]
pub(crate) const NOWHERE: &str = "NUL";

/// The state of data under way to the other end of a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Retransmissions and window probes since the other end last answered.
    pub(crate) tries: u8,
    /// Time since anything arrived from there, including acknowledgements.
    pub(crate) silence: Duration,
}

/// When a file was created, in nanoseconds since 1970; 0 if the system does not report it.
fn born(about: &Metadata) -> u64 {
    let since = about.created().ok().and_then(|moment| moment.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as u64)
}

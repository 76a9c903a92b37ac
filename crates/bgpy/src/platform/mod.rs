//! Everything that differs between operating systems, behind one set of functions.
//!
//! Each system has a file or a directory of its own, and this file chooses among them: no other file
//! of `platform` asks which system it is compiled for. What all Unix systems share is in `unix/`,
//! which asks the file of the system for the rest; a system that has nothing better takes it from
//! `posix.rs`.
//!
//! Only Linux has been run.

mod process_id;
mod stamp;
mod with_limit;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "macos"))))]
mod other_unix;
#[cfg(all(unix, not(target_os = "linux")))]
mod posix;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::Metadata;
use std::time::{Duration, UNIX_EPOCH};

#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(target_os = "macos")]
pub(crate) use macos::*;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "macos"))))]
pub(crate) use other_unix::*;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

#[cfg(unix)]
pub use unix::{SignalFile, SignalsBefore, SocketBell};
#[cfg(windows)]
pub use windows::{SignalFile, SignalsBefore, SocketBell};

pub use process_id::Presence;
pub(crate) use process_id::ProcessId;
pub(crate) use with_limit::WithLimit;

/// The process-wide locks, which must be free in a forked child, in the order in which they may be
/// nested. Each is held only briefly, and never while waiting for anything else.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ForkLock {
    Flush,
    BufferPool,
    Reclaim,
    Segments,
}

/// What happens to such a lock around a fork.
#[derive(Debug)]
pub(crate) struct ForkHooks {
    /// Takes the lock, and prepares what it guards for the child.
    pub(crate) before: fn(),
    /// Releases the lock; the argument is `true` in the child.
    pub(crate) after: fn(bool),
}

/// The socket for notifications to a service manager: see sd_notify(3).
pub(crate) const NOTIFY_VARIABLE: &str = "NOTIFY_SOCKET";

/// The readiness of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// The state of data under way to the other end of a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Undelivered {
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

//! What differs between operating systems, behind one set of functions.
//!
//! Only the Unix half has been run, on Linux; the other is kept small and follows the same contract.

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

/// The locks of a process as a whole, which a forked child must find free, in the order in which they may be
/// nested. Each is held for a moment only, and never while waiting for anything else.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ForkLock {
    BufferPool,
    Reclaim,
    Segments,
}

impl ForkLock {
    /// How many there are.
    #[cfg(unix)]
    const COUNT: usize = Self::Segments as usize + 1;
}

/// What is done about such a lock around a fork.
#[derive(Debug)]
#[cfg_attr(not(unix), expect(dead_code, reason = "there are no forks"))]
pub(crate) struct ForkHooks {
    /// Takes it, and makes what it guards fit for a child.
    pub(crate) before: fn(),
    /// Releases it; the argument says whether in the child.
    pub(crate) after: fn(bool),
}

/// Where a service manager wants to hear how it goes: see sd_notify(3).
pub(crate) const NOTIFY_VARIABLE: &str = "NOTIFY_SOCKET";

/// A file that forgets what is written to it.
#[cfg(unix)]
pub(crate) const NOWHERE: &str = "/dev/null";
#[cfg(not(unix))]
pub(crate) const NOWHERE: &str = "NUL";

/// How data fares that is on its way to the other end of a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// How often it was sent again, or asked whether there is room for it, since the other end last answered.
    pub(crate) tries: u8,
    /// Since when nothing at all has come from there, not even an acknowledgement.
    pub(crate) silence: Duration,
}

/// When a file began, in nanoseconds since 1970; 0 where the system does not tell.
fn born(about: &Metadata) -> u64 {
    let since = about.created().ok().and_then(|moment| moment.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as u64)
}

//! What POSIX alone offers, for Unix systems that have nothing better.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::{Presence, ProcessId, Undelivered};

/// The environment variables of a process are not known.
pub(crate) fn process_environment(_pid: u32) -> Option<Vec<(OsString, OsString)>> {
    None
}

/// A process, not necessarily a child of this one, identified by its start time.
#[derive(Debug)]
pub(crate) struct Process(ProcessId);

impl Process {
    /// `None` if the process no longer exists.
    ///
    /// # Errors
    /// If the process is not proven to be the wanted one.
    pub(crate) fn open(wanted: &ProcessId) -> io::Result<Option<Self>> {
        match wanted.presence() {
            Presence::There => Ok(Some(Self(wanted.clone()))),
            Presence::Gone => Ok(None),
            Presence::Unknown => Err(wanted.unknown()),
        }
    }

    /// Kills it.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.send(Signal::KILL)
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        self.send(Signal::TERM)
    }

    fn send(&self, signal: Signal) -> io::Result<()> {
        let id = i32::try_from(self.0.pid).ok().and_then(Pid::from_raw).ok_or(Errno::INVAL)?;
        Ok(kill_process(id, signal)?)
    }

    /// Whether it ends within `limit`.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let since = Instant::now();
        while self.0.presence() != Presence::Gone {
            if since.elapsed() > limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

/// Resident memory of a process in bytes: not known on this system.
pub(crate) fn resident_bytes(_pid: u32) -> Option<u64> {
    None
}

/// This system does not report the length of the accept queue.
pub(crate) fn waiting_connections(_listener: &impl AsFd) -> usize {
    0
}

/// This system does not report the state of data under way.
pub(crate) fn undelivered(_socket: &impl AsFd) -> io::Result<Option<Undelivered>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Checks that a poller is open. What it watches cannot be queried.
pub(crate) fn check_poller(poller: i32, _watched: i32) -> io::Result<()> {
    // SAFETY: the number is only passed to the system, which returns an error if it is not open.
    let poller = unsafe { BorrowedFd::borrow_raw(poller) };
    Ok(rustix::io::fcntl_getfd(poller).map(drop)?)
}

/// Consumes a pending signal of a set, if there is one.
pub(in crate::platform) fn take_pending(set: &libc::sigset_t) {
    let mut taken = 0;
    // SAFETY: both live for the duration of the call. The SIGPIPE of a write is pending when the
    // write has returned, unless it is ignored, which is checked first.
    unsafe {
        let mut pending: libc::sigset_t = std::mem::zeroed();
        libc::sigpending(&raw mut pending);
        if libc::sigismember(&raw const pending, libc::SIGPIPE) == 1 {
            libc::sigwait(set, &raw mut taken);
        }
    }
}

/// Other users are kept out by the mode of the directory, 0700.
pub(crate) fn is_same_user(_stream: &impl AsFd) -> bool {
    true
}

/// The process at the other end of a Unix socket: not known on this system.
pub(crate) fn peer_process(_stream: &impl AsFd) -> Option<u32> {
    None
}

/// The descriptor limit of another process, if it is reached: not known on this system.
pub(crate) fn descriptors_used_up(_pid: u32) -> Option<u64> {
    None
}

/// This allocator keeps what it keeps.
pub(crate) fn trim_heap() {}

/// Huge pages cannot be requested on this system.
pub(crate) fn prefer_huge_pages(_bytes: &mut Vec<u8>) {}

/// A boot cannot be told from another one on this system.
pub(in crate::platform) fn boot_id() -> String {
    String::new()
}

/// This system has no files in memory.
pub(in crate::platform) fn memory_file() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The address of a service manager's socket: a path.
pub(in crate::platform) fn notification_address(place: &OsStr) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(place)
}

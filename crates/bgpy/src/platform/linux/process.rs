//! Processes on Linux: whether one exists, and what it uses. Only what is proven counts.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::platform::{Presence, ProcessId};

/// A process with no more than this many free descriptors counts as being out of them.
const KEPT_MAX: u64 = 4;

/// The start time of a process, in a unit of the system; `None` if it is proven that there is no
/// such process.
///
/// # Errors
/// If that is unknown: no `/proc`, or no descriptor left to read it.
pub(crate) fn process_start(pid: u32) -> io::Result<Option<u64>> {
    let unreadable = || io::Error::new(io::ErrorKind::InvalidData, "/proc is not understood");
    let text = match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(text) => text,
        Err(error) if is_no_process(&error) => {
            // Without /proc, or with that of other processes, a missing entry proves nothing.
            return if proc_shows_this_namespace() { Ok(None) } else { Err(error) };
        }
        Err(error) => return Err(error),
    };
    // The name of the program, in parentheses, may contain anything. State and other fields follow;
    // the start time is field 22 (see proc_pid_stat(5)).
    let (_, fields) = text.rsplit_once(')').ok_or_else(unreadable)?;
    let mut fields = fields.split_ascii_whitespace();
    let is_dead = match fields.next() {
        // Its main thread has ended. The other threads, which are about to end, may still hold its
        // sockets.
        Some("Z") => match std::fs::read_dir(format!("/proc/{pid}/task")) {
            Ok(threads) => threads.count() <= 1,
            Err(error) => is_no_process(&error),
        },
        state => state == Some("X"),
    };
    let start = fields.nth(18).and_then(|start| start.parse().ok()).ok_or_else(unreadable)?;
    Ok((!is_dead).then_some(start))
}

fn is_no_process(error: &io::Error) -> bool {
    // ESRCH is returned if the process ends between open and read.
    let gone = [Errno::NOENT, Errno::SRCH].map(|errno| errno.raw_os_error());
    error.raw_os_error().is_some_and(|code| gone.contains(&code))
}

/// Whether the ids in `/proc` are those of this process's pid namespace; `/proc` may belong to
/// another one.
fn proc_shows_this_namespace() -> bool {
    let own = std::process::id().to_string();
    std::fs::read_link("/proc/self").is_ok_and(|link| link.as_os_str() == own.as_str())
}

/// The namespace in which process ids and start times are valid: that of pids and of time. `None`
/// if it is unknown.
pub(crate) fn process_namespace() -> Option<String> {
    let of = |kind: &str| std::fs::read_link(format!("/proc/self/ns/{kind}")).ok();
    let pids = of("pid").filter(|_| proc_shows_this_namespace())?;
    // A kernel without time namespaces has a single time.
    let time = of("time").unwrap_or_default();
    Some(format!("{} {}", pids.display(), time.display()).trim_end().to_owned())
}

/// A process, not necessarily a child of this one, identified by its start time.
#[derive(Debug)]
pub(crate) struct Process(OwnedFd);

impl Process {
    /// `None` if the process no longer exists.
    ///
    /// # Errors
    /// The system's error, or if the process is not proven to be the wanted one.
    pub(crate) fn open(wanted: &ProcessId) -> io::Result<Option<Self>> {
        if wanted.presence() == Presence::Gone {
            return Ok(None);
        }
        let id = i32::try_from(wanted.pid).ok().and_then(Pid::from_raw);
        let process = match pidfd_open(id.ok_or(Errno::INVAL)?, PidfdFlags::empty()) {
            Err(Errno::SRCH) if wanted.presence() == Presence::Gone => return Ok(None),
            opened => opened.map_err(io::Error::from),
        };
        // From here on the id cannot be reused.
        match wanted.presence() {
            Presence::There => process.map(|process| Some(Self(process))),
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
        match pidfd_send_signal(&self.0, signal) {
            // It has ended by itself.
            Err(Errno::SRCH) => Ok(()),
            result => Ok(result?),
        }
    }

    /// Whether it ends within `limit`.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        let limit = Timespec::try_from(limit).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        poll(&mut fds, Some(&limit)).is_ok_and(|ready| ready > 0)
    }
}

/// Resident memory of a process in bytes, if this user may know it.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// The environment variables that a process was started with, if this user may know them.
pub(crate) fn process_environment(pid: u32) -> Option<Vec<(OsString, OsString)>> {
    let text = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let variables = text.split(|byte| *byte == 0).filter_map(|variable| {
        let end = variable.iter().position(|byte| *byte == b'=')?;
        let part = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        Some((part(&variable[..end]), part(&variable[end + 1..])))
    });
    Some(variables.collect())
}

/// The descriptor limit of another process, if it is reached and the system reports that.
pub(crate) fn descriptors_used_up(pid: u32) -> Option<u64> {
    let process = Path::new("/proc").join(pid.to_string());
    let limits = std::fs::read_to_string(process.join("limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let limit: u64 = line.split_whitespace().next()?.parse().ok()?;
    // A few are reserved for such moments, or have just become free.
    let used = std::fs::read_dir(process.join("fd")).ok()?.count() as u64;
    (used + KEPT_MAX >= limit).then_some(limit)
}

//! Processes on Unix: whether one is there, and how it ends.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};

use crate::registry::ProcessId;

/// When a process began, in a unit of the system's own; `None` when there is no such process.
#[cfg(target_os = "linux")]
pub(crate) fn process_start(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in brackets, may hold anything. Behind it: state, and so on; the
    // start is field 22 of all (see proc_pid_stat(5)).
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let is_dead = match fields.next()? {
        // Its first thread has ended. The others, which are about to, may have its sockets still.
        "Z" => std::fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|all| all.count() <= 1),
        state => state == "X",
    };
    fields.nth(18)?.parse().ok().filter(|_| !is_dead)
}

/// When a process began, in a unit of the system's own; `None` when there is no such process. Here,
/// the one and the other with the same id cannot be told apart.
#[cfg(not(target_os = "linux"))]
pub(crate) fn process_start(pid: u32) -> Option<u64> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    let there = match rustix::process::test_kill_process(pid) {
        Ok(()) | Err(Errno::PERM) => true,
        Err(_) => false,
    };
    there.then_some(0)
}

/// A process that may be another user's child, and that began at a known time.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Process(OwnedFd);

#[cfg(target_os = "linux")]
impl Process {
    /// `None` when there is no such process any more.
    pub(crate) fn open(ProcessId { pid, start }: ProcessId) -> io::Result<Option<Self>> {
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let process = match pidfd_open(id.ok_or(Errno::INVAL)?, PidfdFlags::empty()) {
            Err(Errno::SRCH) => return Ok(None),
            opened => opened?,
        };
        // From here on the id cannot be given to another process.
        let found = process_start(pid);
        let is_same = found.is_some() && (start.is_none() || start == found);
        Ok(is_same.then_some(Self(process)))
    }

    /// Ends it, whatever it does.
    pub(crate) fn kill(&self) -> io::Result<()> {
        Ok(rustix::process::pidfd_send_signal(&self.0, rustix::process::Signal::KILL)?)
    }

    /// Whether it ends in that time.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        let limit = Timespec::try_from(limit).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        poll(&mut fds, Some(&limit)).is_ok_and(|ready| ready > 0)
    }
}

/// A process that may be another user's child. Here it is known by its id alone.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct Process(u32);

#[cfg(not(target_os = "linux"))]
impl Process {
    /// `None` when there is no such process any more.
    pub(crate) fn open(ProcessId { pid, .. }: ProcessId) -> io::Result<Option<Self>> {
        Ok(process_start(pid).map(|_| Self(pid)))
    }

    /// Ends it, whatever it does.
    pub(crate) fn kill(&self) -> io::Result<()> {
        use rustix::process::{Pid, Signal, kill_process};
        let id = i32::try_from(self.0).ok().and_then(Pid::from_raw).ok_or(Errno::INVAL)?;
        Ok(kill_process(id, Signal::KILL)?)
    }

    /// Whether it ends in that time.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let until = std::time::Instant::now() + limit;
        while process_start(self.0).is_some() {
            if std::time::Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

/// Bytes of memory that a process has resident, if it is this user's to know.
#[cfg(target_os = "linux")]
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Bytes of memory that a process has resident: not known here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn resident_bytes(_pid: u32) -> Option<u64> {
    None
}

/// Ends this process at once, whatever its threads are doing.
pub(crate) fn end_now() {
    // The signal cannot fail to be sent to oneself.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

/// Ends this process with an exit code, and nothing else of it runs: no exit hooks, no destructors.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: it ends the process.
    unsafe { libc::_exit(code) }
}

/// The signal that ended a process.
pub(crate) fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// Kills a process that was started in the background, with all that it has started since.
pub(crate) fn kill_group(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    // It has a group of its own from the moment at which it [detaches](super::detach); before, there is none
    // that is called after it.
    if let Some(id) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(id, Signal::KILL);
    }
    drop(child.kill());
}

/// Ends this process as another one has ended.
pub(crate) fn end_like(status: ExitStatus) -> ! {
    use signal_hook::low_level::{emulate_default_handler, raise};
    if let Some(signal) = signal_of(status) {
        // The other one has left its core.
        let _ = rustix::process::setrlimit(
            Resource::Core,
            Rlimit { current: Some(0), maximum: Some(0) },
        );
        // SIGKILL has no handler to be emulated.
        drop(emulate_default_handler(signal));
        drop(raise(signal));
    }
    std::process::exit(status.code().unwrap_or(1))
}

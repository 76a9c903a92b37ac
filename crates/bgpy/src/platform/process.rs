//! Processes on Unix: whether one exists, and how it ends. Only what is proven counts.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};

use super::{Presence, ProcessId};

/// The start time of a process, in a unit of the system; `None` if it is proven that there is no
/// such process.
///
/// # Errors
/// If that is unknown: no `/proc`, or no descriptor left to read it.
#[cfg(target_os = "linux")]
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

#[cfg(target_os = "linux")]
fn is_no_process(error: &io::Error) -> bool {
    // ESRCH is returned if the process ends between open and read.
    let gone = [Errno::NOENT, Errno::SRCH].map(|errno| errno.raw_os_error());
    error.raw_os_error().is_some_and(|code| gone.contains(&code))
}

/// Whether the ids in `/proc` are those of this process's pid namespace; `/proc` may belong to
/// another one.
#[cfg(target_os = "linux")]
fn proc_shows_this_namespace() -> bool {
    let own = std::process::id().to_string();
    std::fs::read_link("/proc/self").is_ok_and(|link| link.as_os_str() == own.as_str())
}

/// The namespace in which process ids and start times are valid: that of pids and of time. `None`
/// if it is unknown.
#[cfg(target_os = "linux")]
pub(crate) fn process_namespace() -> Option<String> {
    let of = |kind: &str| std::fs::read_link(format!("/proc/self/ns/{kind}")).ok();
    let pids = of("pid").filter(|_| proc_shows_this_namespace())?;
    // A kernel without time namespaces has a single time.
    let time = of("time").unwrap_or_default();
    Some(format!("{} {}", pids.display(), time.display()).trim_end().to_owned())
}

/// The start time of a process, in microseconds since 1970; `None` if there is no such process.
#[cfg(target_os = "macos")]
pub(crate) fn process_start(pid: u32) -> io::Result<Option<u64>> {
    let pid = i32::try_from(pid).map_err(|_| Errno::SRCH)?;
    // SAFETY: it consists of integers and arrays of them, for which zeros are valid.
    let mut about: libc::proc_bsdinfo = unsafe { std::mem::zeroed() };
    let size = size_of_val(&about) as i32;
    // SAFETY: the buffer has the given length, and outlives the call.
    let written = unsafe {
        libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, (&raw mut about).cast(), size)
    };
    if written == size {
        let start = about.pbi_start_tvsec * 1_000_000 + about.pbi_start_tvusec;
        return Ok((about.pbi_status != libc::SZOMB).then_some(start));
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(None),
        error => Err(error),
    }
}

/// The namespace in which process ids are valid: there is only one.
#[cfg(target_os = "macos")]
pub(crate) fn process_namespace() -> Option<String> {
    Some(String::new())
}

/// On this system the start time is unknown, so a process cannot be told from a later one with the
/// same id.
///
/// # Errors
/// If there is a process with the id, or if that is unknown.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) fn process_start(pid: u32) -> io::Result<Option<u64>> {
    let id = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    match rustix::process::test_kill_process(id.ok_or(Errno::INVAL)?) {
        Err(Errno::SRCH) => Ok(None),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// The namespace in which process ids are valid: jails are not distinguished.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) fn process_namespace() -> Option<String> {
    None
}

/// A process, not necessarily a child of this one, identified by its start time.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Process(OwnedFd);

#[cfg(target_os = "linux")]
impl Process {
    /// `None` if the process no longer exists.
    ///
    /// # Errors
    /// The system's error, or if the process is not proven to be the wanted one.
    pub(crate) fn open(wanted: &ProcessId) -> io::Result<Option<Self>> {
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
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
        self.send(rustix::process::Signal::KILL)
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        self.send(rustix::process::Signal::TERM)
    }

    fn send(&self, signal: rustix::process::Signal) -> io::Result<()> {
        match rustix::process::pidfd_send_signal(&self.0, signal) {
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

/// A process, not necessarily a child of this one, identified by its start time.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct Process(ProcessId);

#[cfg(not(target_os = "linux"))]
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
        self.send(rustix::process::Signal::KILL)
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        self.send(rustix::process::Signal::TERM)
    }

    fn send(&self, signal: rustix::process::Signal) -> io::Result<()> {
        use rustix::process::{Pid, kill_process};
        let id = i32::try_from(self.0.pid).ok().and_then(Pid::from_raw).ok_or(Errno::INVAL)?;
        Ok(kill_process(id, signal)?)
    }

    /// Whether it ends within `limit`.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let since = std::time::Instant::now();
        while self.0.presence() != Presence::Gone {
            if since.elapsed() > limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

/// Resident memory of a process in bytes, if this user may know it.
#[cfg(target_os = "linux")]
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Resident memory of a process in bytes: not known on this system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn resident_bytes(_pid: u32) -> Option<u64> {
    None
}

/// Kills this process at once, whatever its threads are doing.
pub(crate) fn end_now() {
    // Sending the signal to oneself cannot fail.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

/// Ends this process with an exit code at once: no exit hooks or destructors run.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: it ends the process.
    unsafe { libc::_exit(code) }
}

/// Makes the system keep the exit status of children until they are waited for. The starter of this
/// program may have ignored SIGCHLD, which is inherited.
pub(crate) fn keep_children() {
    // SAFETY: it reads the disposition, which writes only to the buffer, and sets one that runs no
    // code. Only an inherited disposition is changed.
    unsafe {
        let mut known: libc::sigaction = std::mem::zeroed();
        let asked = libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut known);
        if asked == 0 && known.sa_sigaction == libc::SIG_IGN {
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        }
    }
}

/// The signal that ended a process.
pub(crate) fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// The exit status for a recorded code or signal.
pub(crate) fn status_of(code: Option<i32>, signal: Option<i32>) -> Option<ExitStatus> {
    // Packed as by wait(2).
    let packed = signal.or(code.map(|code| code << 8))?;
    Some(std::os::unix::process::ExitStatusExt::from_raw(packed))
}

/// Kills a process started in the background, with all processes in its group.
pub(crate) fn kill_group(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    // The child leads a process group of its own once it has [detached](super::detach); before
    // that, no group has its id.
    if let Some(id) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(id, Signal::KILL);
    }
    drop(child.kill());
}

/// Ends this process with the exit code or signal of another one.
pub(crate) fn end_like(status: ExitStatus) -> ! {
    use signal_hook::low_level::{emulate_default_handler, raise};
    if let Some(signal) = signal_of(status) {
        // The other process has already dumped core.
        let _ = rustix::process::setrlimit(
            Resource::Core,
            Rlimit { current: Some(0), maximum: Some(0) },
        );
        // SIGKILL has no default handler to emulate.
        drop(emulate_default_handler(signal));
        drop(raise(signal));
    }
    std::process::exit(status.code().unwrap_or(1))
}

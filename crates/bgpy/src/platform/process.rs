//! Processes on Unix: whether one is there, and how it ends. Only what is proven counts.

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

/// When a process began, in a unit of the system's own; `None` when it is proven that there is no such
/// process.
///
/// # Errors
/// When that cannot be told: no `/proc`, or no descriptor left to read it with.
#[cfg(target_os = "linux")]
pub(crate) fn process_start(pid: u32) -> io::Result<Option<u64>> {
    let unreadable = || io::Error::new(io::ErrorKind::InvalidData, "/proc is not understood");
    let text = match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(text) => text,
        Err(error) if is_no_process(&error) => {
            // Without /proc, or with one of other processes, nothing is found there either.
            return if proc_shows_this_namespace() { Ok(None) } else { Err(error) };
        }
        Err(error) => return Err(error),
    };
    // The name of the program, in brackets, may hold anything. Behind it: state, and so on; the
    // start is field 22 of all (see proc_pid_stat(5)).
    let (_, fields) = text.rsplit_once(')').ok_or_else(unreadable)?;
    let mut fields = fields.split_ascii_whitespace();
    let is_dead = match fields.next() {
        // Its first thread has ended. The others, which are about to, may have its sockets still.
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
    // The second one comes when the process ends between opening and reading.
    let gone = [Errno::NOENT, Errno::SRCH].map(|errno| errno.raw_os_error());
    error.raw_os_error().is_some_and(|code| gone.contains(&code))
}

/// Whether the ids in `/proc` are those by which this process knows others, which they are not where
/// `/proc` is that of another pid namespace.
#[cfg(target_os = "linux")]
fn proc_shows_this_namespace() -> bool {
    let own = std::process::id().to_string();
    std::fs::read_link("/proc/self").is_ok_and(|link| link.as_os_str() == own.as_str())
}

/// Where process ids and start times mean what they mean to this process: its namespaces of process ids
/// and of time. `None` when that cannot be told.
#[cfg(target_os = "linux")]
pub(crate) fn process_namespace() -> Option<String> {
    let of = |kind: &str| std::fs::read_link(format!("/proc/self/ns/{kind}")).ok();
    let pids = of("pid").filter(|_| proc_shows_this_namespace())?;
    // A kernel without namespaces of time has one time.
    let time = of("time").unwrap_or_default();
    Some(format!("{} {}", pids.display(), time.display()).trim_end().to_owned())
}

/// When a process began, in microseconds since 1970; `None` when there is no such process.
#[cfg(target_os = "macos")]
pub(crate) fn process_start(pid: u32) -> io::Result<Option<u64>> {
    let pid = i32::try_from(pid).map_err(|_| Errno::SRCH)?;
    // SAFETY: it is made of integers and arrays of them, for which zeros are values.
    let mut about: libc::proc_bsdinfo = unsafe { std::mem::zeroed() };
    let size = size_of_val(&about) as i32;
    // SAFETY: the buffer is as long as it is said to be, and outlives the call.
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

/// Where process ids mean what they mean to this process: there is one place only.
#[cfg(target_os = "macos")]
pub(crate) fn process_namespace() -> Option<String> {
    Some(String::new())
}

/// Here it is not known when a process began, so that none is told from a later one with its id.
///
/// # Errors
/// When there is a process with the id, or it cannot be told.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) fn process_start(pid: u32) -> io::Result<Option<u64>> {
    let id = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    match rustix::process::test_kill_process(id.ok_or(Errno::INVAL)?) {
        Err(Errno::SRCH) => Ok(None),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Where process ids mean what they mean to this process: jails are not told apart here.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) fn process_namespace() -> Option<String> {
    None
}

/// A process that need not be this one's child, and that began at a known time.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Process(OwnedFd);

#[cfg(target_os = "linux")]
impl Process {
    /// `None` when there is no such process any more.
    ///
    /// # Errors
    /// When the system does not tell, or it is not proven that it is the one that is meant.
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
        // From here on the id cannot be given to another process.
        match wanted.presence() {
            Presence::There => process.map(|process| Some(Self(process))),
            Presence::Gone => Ok(None),
            Presence::Unknown => Err(wanted.unknown()),
        }
    }

    /// Ends it, whatever it does.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.send(rustix::process::Signal::KILL)
    }

    /// Tells it to end.
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

    /// Whether it ends in that time.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        let limit = Timespec::try_from(limit).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        poll(&mut fds, Some(&limit)).is_ok_and(|ready| ready > 0)
    }
}

/// A process that need not be this one's child, and that began at a known time.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct Process(ProcessId);

#[cfg(not(target_os = "linux"))]
impl Process {
    /// `None` when there is no such process any more.
    ///
    /// # Errors
    /// When it is not proven that it is the one that is meant.
    pub(crate) fn open(wanted: &ProcessId) -> io::Result<Option<Self>> {
        match wanted.presence() {
            Presence::There => Ok(Some(Self(wanted.clone()))),
            Presence::Gone => Ok(None),
            Presence::Unknown => Err(wanted.unknown()),
        }
    }

    /// Ends it, whatever it does.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.send(rustix::process::Signal::KILL)
    }

    /// Tells it to end.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        self.send(rustix::process::Signal::TERM)
    }

    fn send(&self, signal: rustix::process::Signal) -> io::Result<()> {
        use rustix::process::{Pid, kill_process};
        let id = i32::try_from(self.0.pid).ok().and_then(Pid::from_raw).ok_or(Errno::INVAL)?;
        Ok(kill_process(id, signal)?)
    }

    /// Whether it ends in that time.
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

/// Has the system keep how children end until they are waited for. Whoever starts a program may have
/// told it otherwise, by ignoring SIGCHLD, which children inherit.
pub(crate) fn keep_children() {
    // SAFETY: it asks for the handler, which touches no memory but the buffer, and sets one that runs
    // no code. Only a disposition that nobody here has chosen is changed.
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

/// An exit status as somebody else saw it.
pub(crate) fn status_of(code: Option<i32>, signal: Option<i32>) -> Option<ExitStatus> {
    // As wait(2) packs them.
    let packed = signal.or(code.map(|code| code << 8))?;
    Some(std::os::unix::process::ExitStatusExt::from_raw(packed))
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

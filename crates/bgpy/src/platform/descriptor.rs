//! Descriptors on Unix: whether they are what they were, and writes that end nobody.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::process::{Resource, getrlimit};

/// Descriptors that a process may have left, and count as having none for others.
const KEPT_MAX: u64 = 4;

/// The number of a descriptor.
pub(crate) fn number(descriptor: &impl AsRawFd) -> i32 {
    descriptor.as_raw_fd()
}

/// Whether an error says that a descriptor was closed, or that something else has its number.
pub(crate) fn is_descriptor_lost(error: &io::Error) -> bool {
    let lost = [Errno::BADF, Errno::NOTSOCK, Errno::INVAL, Errno::OPNOTSUPP, Errno::PERM];
    lost.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whether an error says that this process, or the system, has no more of what everything needs: it tells
/// nothing of what was to be opened.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    let lack = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    error.kind() == io::ErrorKind::OutOfMemory
        || lack.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// How many descriptors this process may have, if an error says that it has so many.
pub(crate) fn descriptor_limit(error: &io::Error) -> Option<u64> {
    let is_reached = error.raw_os_error() == Some(Errno::MFILE.raw_os_error());
    is_reached.then(descriptors_max)?
}

/// How many descriptors this process may have, if there is a limit.
pub(crate) fn descriptors_max() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// How many descriptors another process may have, if it has as many, where the system tells.
pub(crate) fn descriptors_used_up(pid: u32) -> Option<u64> {
    let process = Path::new("/proc").join(pid.to_string());
    let limits = std::fs::read_to_string(process.join("limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let limit: u64 = line.split_whitespace().next()?.parse().ok()?;
    // Some are kept for a moment like this one, or have just become free.
    let used = std::fs::read_dir(process.join("fd")).ok()?.count() as u64;
    (used + KEPT_MAX >= limit).then_some(limit)
}

/// Whether somebody waits to be accepted. The system does not look for that where it has no descriptor for
/// them.
pub(crate) fn is_called(listener: &impl AsRawFd) -> bool {
    // SAFETY: the number is only named to the system, which says so when it is not open.
    let listener = unsafe { BorrowedFd::borrow_raw(listener.as_raw_fd()) };
    let mut looked = [PollFd::from_borrowed_fd(listener, PollFlags::IN)];
    poll(&mut looked, Some(&Timespec::default())).is_ok_and(|count| count > 0)
}

/// A descriptor of nothing, which keeps a place for another one.
pub(crate) type Placeholder = std::os::unix::net::UnixDatagram;

/// Opens one that is told from all others, as no two sockets are the same file.
pub(crate) fn placeholder() -> io::Result<Placeholder> {
    Placeholder::unbound()
}

/// Confirms that a poller watches a descriptor of its owner's, which a poller that somebody else has
/// opened under the same number does not.
#[cfg(target_os = "linux")]
pub(crate) fn check_poller(poller: i32, watched: i32) -> io::Result<()> {
    use rustix::event::epoll::{self, EventData, EventFlags};
    // SAFETY: the numbers are only named to the system, which says so when they are not open.
    let [poller, watched] = [poller, watched].map(|fd| unsafe { BorrowedFd::borrow_raw(fd) });
    match epoll::add(poller, watched, EventData::new_u64(u64::MAX), EventFlags::empty()) {
        Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => {
            // It was somebody else's, who is not to notice.
            let _ = epoll::delete(poller, watched);
            Err(io::Error::other("the poller is another one"))
        }
    }
}

/// Confirms that a poller is open. What it watches cannot be asked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn check_poller(poller: i32, _watched: i32) -> io::Result<()> {
    // SAFETY: the number is only named to the system, which says so when it is not open.
    let poller = unsafe { BorrowedFd::borrow_raw(poller) };
    Ok(rustix::io::fcntl_getfd(poller).map(drop)?)
}

/// Writes all bytes to a socket, pipe or file. A reader that is gone is an error, and no SIGPIPE, which
/// ends a process that has not said otherwise.
pub(crate) fn write_all(output: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(&output, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes bytes as [`write_all`] does, but only once.
pub(crate) fn write(output: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(match rustix::net::send(&output, bytes, SendFlags::NOSIGNAL) {
        Err(Errno::NOTSOCK) => write_unsignalled(&output, bytes)?,
        written => written?,
    })
}

/// Writes what is no socket with SIGPIPE blocked, and takes the one that it has caused.
fn write_unsignalled(output: impl AsFd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the sets are written before they are read, and the calls fail only for bad arguments.
    unsafe {
        let mut pipe: libc::sigset_t = std::mem::zeroed();
        let (mut before, mut pending) = (pipe, pipe);
        libc::sigemptyset(&raw mut pipe);
        libc::sigaddset(&raw mut pipe, libc::SIGPIPE);
        libc::sigpending(&raw mut pending);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const pipe, &raw mut before);
        let written = rustix::io::write(output, bytes);
        // One that was pending before is not this write's.
        if written == Err(Errno::PIPE) && libc::sigismember(&raw const pending, libc::SIGPIPE) == 0
        {
            take_pending(&pipe);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        written
    }
}

#[cfg(target_os = "linux")]
fn take_pending(set: &libc::sigset_t) {
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both are there for the time of the call. Without a signal it returns at once.
    unsafe { libc::sigtimedwait(set, std::ptr::null_mut(), &raw const at_once) };
}

#[cfg(not(target_os = "linux"))]
fn take_pending(set: &libc::sigset_t) {
    let mut taken = 0;
    // SAFETY: both are there for the time of the call. The signal of a write is pending when that has
    // returned, unless it is ignored, which is asked first.
    unsafe {
        let mut pending: libc::sigset_t = std::mem::zeroed();
        libc::sigpending(&raw mut pending);
        if libc::sigismember(&raw const pending, libc::SIGPIPE) == 1 {
            libc::sigwait(set, &raw mut taken);
        }
    }
}

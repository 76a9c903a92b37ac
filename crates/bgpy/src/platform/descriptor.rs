//! Descriptors on Unix: checks that they are still the same, and writes without SIGPIPE.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::process::{Resource, getrlimit};

/// A process with no more than this many free descriptors counts as being out of them.
const KEPT_MAX: u64 = 4;

/// The number of a descriptor.
pub(crate) fn number(descriptor: &impl AsRawFd) -> i32 {
    descriptor.as_raw_fd()
}

/// Whether an error means that a descriptor was closed, or that its number was reused.
pub(crate) fn is_descriptor_lost(error: &io::Error) -> bool {
    let lost = [Errno::BADF, Errno::NOTSOCK, Errno::INVAL, Errno::OPNOTSUPP, Errno::PERM];
    lost.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whether an error means that this process, or the system, is out of descriptors or memory: it
/// says nothing about the file or socket concerned.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    let lack = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    error.kind() == io::ErrorKind::OutOfMemory
        || lack.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// The descriptor limit of this process, if an error says that it is reached.
pub(crate) fn descriptor_limit(error: &io::Error) -> Option<u64> {
    let is_reached = error.raw_os_error() == Some(Errno::MFILE.raw_os_error());
    is_reached.then(descriptors_max)?
}

/// The descriptor limit of this process, if there is one.
pub(crate) fn descriptors_max() -> Option<u64> {
    getrlimit(Resource::Nofile).current
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

/// Whether the accept queue is not empty. Without free descriptors, `accept` fails before it checks
/// that.
pub(crate) fn is_called(listener: &impl AsRawFd) -> bool {
    // SAFETY: the number is only passed to the system, which returns an error if it is not open.
    let listener = unsafe { BorrowedFd::borrow_raw(listener.as_raw_fd()) };
    let mut looked = [PollFd::from_borrowed_fd(listener, PollFlags::IN)];
    poll(&mut looked, Some(&Timespec::default())).is_ok_and(|count| count > 0)
}

/// An unused descriptor that reserves a slot for another one.
pub(crate) type Placeholder = std::os::unix::net::UnixDatagram;

/// Opens one with a unique identity, since no two sockets are the same file.
pub(crate) fn placeholder() -> io::Result<Placeholder> {
    Placeholder::unbound()
}

/// Checks that a poller watches a descriptor of its owner, which a poller that other code has
/// opened under the same number does not.
#[cfg(target_os = "linux")]
pub(crate) fn check_poller(poller: i32, watched: i32) -> io::Result<()> {
    use rustix::event::epoll::{self, EventData, EventFlags};
    // SAFETY: the numbers are only passed to the system, which returns an error if they are not
    // open.
    let [poller, watched] = [poller, watched].map(|fd| unsafe { BorrowedFd::borrow_raw(fd) });
    match epoll::add(poller, watched, EventData::new_u64(u64::MAX), EventFlags::empty()) {
        Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => {
            // The poller belongs to other code: undo the registration.
            let _ = epoll::delete(poller, watched);
            Err(io::Error::other("the poller is another one"))
        }
    }
}

/// Checks that a poller is open. What it watches cannot be queried.
#[cfg(not(target_os = "linux"))]
pub(crate) fn check_poller(poller: i32, _watched: i32) -> io::Result<()> {
    // SAFETY: the number is only passed to the system, which returns an error if it is not open.
    let poller = unsafe { BorrowedFd::borrow_raw(poller) };
    Ok(rustix::io::fcntl_getfd(poller).map(drop)?)
}

/// Writes all bytes to a socket, pipe or file. If the reader is gone, returns an error instead of
/// raising SIGPIPE, which by default ends the process.
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

/// Writes like [`write_all`], but only once.
pub(crate) fn write(output: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(match rustix::net::send(&output, bytes, SendFlags::NOSIGNAL) {
        Err(Errno::NOTSOCK) => write_unsignalled(&output, bytes)?,
        written => written?,
    })
}

/// Writes to anything but a socket with SIGPIPE blocked, and consumes the SIGPIPE of this write.
fn write_unsignalled(output: impl AsFd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the sets are written before they are read, and the calls fail only for invalid
    // arguments.
    unsafe {
        let mut pipe: libc::sigset_t = std::mem::zeroed();
        let (mut before, mut pending) = (pipe, pipe);
        libc::sigemptyset(&raw mut pipe);
        libc::sigaddset(&raw mut pipe, libc::SIGPIPE);
        libc::sigpending(&raw mut pending);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const pipe, &raw mut before);
        let written = rustix::io::write(output, bytes);
        // A SIGPIPE that was pending before does not belong to this write.
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
    // SAFETY: both live for the duration of the call. Without a pending signal it returns at once.
    unsafe { libc::sigtimedwait(set, std::ptr::null_mut(), &raw const at_once) };
}

#[cfg(not(target_os = "linux"))]
fn take_pending(set: &libc::sigset_t) {
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

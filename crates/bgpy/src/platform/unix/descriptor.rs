//! Descriptors: their limits, whether they are still the same, and those that are inherited.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
pub(crate) use std::os::fd::{AsRawFd, RawFd};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit};

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

/// Raises the soft descriptor limit to the hard limit.
pub(crate) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // If that fails, the old limit applies, and the limit on handshakes still holds.
    let _ = rustix::process::setrlimit(
        Resource::Nofile,
        Rlimit { current: limit.maximum, maximum: limit.maximum },
    );
}

/// An unused descriptor that reserves a slot for another one.
pub(crate) type Placeholder = std::os::unix::net::UnixDatagram;

/// Opens one with a unique identity, since no two sockets are the same file.
pub(crate) fn placeholder() -> io::Result<Placeholder> {
    Placeholder::unbound()
}

/// Makes a descriptor inheritable by a program that this process starts, and returns its number.
pub(crate) fn hand_on(descriptor: &impl AsFd) -> io::Result<i32> {
    rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::empty())?;
    Ok(descriptor.as_fd().as_raw_fd())
}

/// Takes ownership of an inherited descriptor.
pub(crate) fn take_inherited(fd: i32) -> io::Result<OwnedFd> {
    use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
    // SAFETY: the descriptor is only queried for its flags, which returns an error if it is not
    // open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    if fcntl_getfd(borrowed)?.contains(FdFlags::CLOEXEC) {
        return Err(Errno::BADF.into());
    }
    // SAFETY: nothing in this process opened it (see `detach`), so nothing else owns it; and once
    // taken it has the close-on-exec flag, so it is not taken again.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    fcntl_setfd(&owned, FdFlags::CLOEXEC)?;
    Ok(owned)
}

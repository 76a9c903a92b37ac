//! Other Unix systems, such as the BSDs.

use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::process::{Pid, test_kill_process};

pub(crate) use super::posix::*;

/// Makes a write to a socket whose reader is gone return an error without raising SIGPIPE.
pub(in crate::platform) const NO_SIGPIPE: SendFlags = SendFlags::NOSIGNAL;

/// A signal that hardly anybody uses: only sockets with an owner send it.
pub(in crate::platform) fn spare_signal() -> i32 {
    libc::SIGURG
}

/// These systems have no option for it: undelivered data is detected later.
pub(crate) fn hasten_delivery(_socket: &impl AsFd) {}

/// On this system the start time is unknown, so a process cannot be told from a later one with the
/// same id.
///
/// # Errors
/// If there is a process with the id, or if that is unknown.
pub(crate) fn process_start(pid: u32) -> io::Result<Option<u64>> {
    let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
    match test_kill_process(id.ok_or(Errno::INVAL)?) {
        Err(Errno::SRCH) => Ok(None),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// The namespace in which process ids are valid: jails are not distinguished.
pub(crate) fn process_namespace() -> Option<String> {
    None
}

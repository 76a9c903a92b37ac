//! macOS.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;
use rustix::net::SendFlags;

pub(crate) use super::posix::*;

/// How long the system retransmits before it gives the connection up, in seconds. Only data sent to
/// an open window counts: see `TCP_RXT_CONNDROPTIME` in Darwin's netinet/tcp.h.
const DROP_TIME_S: (i32, u32) = (0x80, 50);

/// Darwin has no MSG_NOSIGNAL. Sockets that are opened here have SO_NOSIGPIPE; for accepted ones,
/// SIGPIPE has to be ignored, as Python does.
pub(in crate::platform) const NO_SIGPIPE: SendFlags = SendFlags::empty();

/// A signal that nobody uses: Ctrl-T on a terminal sends it, and a server has none.
pub(in crate::platform) fn spare_signal() -> i32 {
    libc::SIGINFO
}

/// Makes the system detect undelivered data soon.
pub(crate) fn hasten_delivery(socket: &impl AsFd) {
    let (name, value) = DROP_TIME_S;
    let length = size_of_val(&value) as libc::socklen_t;
    let number = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open, and the value has the given length.
    unsafe {
        libc::setsockopt(number, libc::IPPROTO_TCP, name, (&raw const value).cast(), length);
    }
}

/// The start time of a process, in microseconds since 1970; `None` if there is no such process.
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
pub(crate) fn process_namespace() -> Option<String> {
    Some(String::new())
}

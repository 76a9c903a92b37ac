//! Writing without SIGPIPE.

use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;

use crate::platform::{NO_SIGPIPE, take_pending};

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
    Ok(match rustix::net::send(&output, bytes, NO_SIGPIPE) {
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

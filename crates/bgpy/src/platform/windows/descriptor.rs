//! Handles. Tasks cannot close those of a server by their numbers, so little is checked.

use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::windows::io::{AsRawHandle, AsRawSocket, RawSocket};

pub(crate) type RawFd = i32;

/// The trait that has this name on Unix. Only the numbers of files and sockets are used.
pub(crate) trait AsRawFd {
    fn as_raw_fd(&self) -> RawFd {
        -1
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        number_of(self.as_raw_handle() as RawSocket)
    }
}

impl AsRawFd for mio::Poll {}
impl AsRawFd for mio::Registry {}

impl AsRawFd for mio::net::TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        number_of(self.as_raw_socket())
    }
}

impl AsRawFd for mio::net::TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        number_of(self.as_raw_socket())
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        number_of(self.as_raw_socket())
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        number_of(self.as_raw_socket())
    }
}

/// Handles have numbers of 32 bits, also where they are longer.
pub(super) fn number_of(socket: RawSocket) -> RawFd {
    RawFd::try_from(socket).unwrap_or(-1)
}

pub(crate) fn number(descriptor: &impl AsRawFd) -> i32 {
    descriptor.as_raw_fd()
}

pub(crate) fn is_descriptor_lost(_error: &io::Error) -> bool {
    false
}

/// `ERROR_TOO_MANY_OPEN_FILES`, `ERROR_NOT_ENOUGH_MEMORY`, `WSAEMFILE` and `WSAENOBUFS`.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::OutOfMemory
        || error.raw_os_error().is_some_and(|code| [4, 8, 10024, 10055].contains(&code))
}

pub(crate) fn descriptor_limit(_error: &io::Error) -> Option<u64> {
    None
}

pub(crate) fn descriptors_max() -> Option<u64> {
    None
}

pub(crate) fn descriptors_used_up(_pid: u32) -> Option<u64> {
    None
}

pub(crate) fn raise_descriptor_limit() {}

/// A process has as many handles as it needs.
pub(crate) type Placeholder = File;

pub(crate) fn placeholder() -> io::Result<Placeholder> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn check_poller(_poller: i32, _watched: i32) -> io::Result<()> {
    Ok(())
}

/// A server's descriptors cannot be closed by their numbers, so no thread has to be woken from a
/// wait for one.
#[derive(Debug)]
pub(crate) struct Sleeper;

impl Sleeper {
    pub(crate) fn here() -> Self {
        Self
    }

    pub(crate) fn interrupt(&self) {}

    pub(crate) fn signal(&self) {}
}

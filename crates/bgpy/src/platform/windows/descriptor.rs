//! Handles. A server's handles cannot be closed by their numbers, so little is checked.

use std::fs::File;
use std::io;

pub(crate) type RawFd = i32;

/// The trait that has this name on Unix. Handles have no numbers that anything is done with.
pub(crate) trait AsRawFd {
    fn as_raw_fd(&self) -> RawFd {
        -1
    }
}

impl AsRawFd for File {}
impl AsRawFd for mio::Poll {}
impl AsRawFd for mio::Registry {}
impl AsRawFd for mio::net::TcpListener {}
impl AsRawFd for mio::net::TcpStream {}

pub(crate) fn number(descriptor: &impl AsRawFd) -> i32 {
    descriptor.as_raw_fd()
}

pub(crate) fn hand_on(_descriptor: &impl AsRawFd) -> io::Result<i32> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn take_inherited(_number: i32) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
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

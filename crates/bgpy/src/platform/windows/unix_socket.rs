//! There are no Unix sockets, so every client connects over TCP, and no value of these types exists.

use std::io::{self, Read, Write};
use std::os::windows::io::{AsSocket, BorrowedSocket};
use std::path::Path;
use std::time::Duration;

use mio::event::Source;
use mio::{Interest, Registry as PollRegistry, Token as PollToken};
use socket2::Socket;

use super::descriptor::AsRawFd;

/// Whether this system has Unix sockets.
pub(crate) const EXIST: bool = false;

#[derive(Debug)]
pub(crate) enum Listener {}

#[derive(Debug)]
pub(crate) enum PolledStream {}

#[derive(Debug)]
pub(crate) enum PolledListener {}

pub(crate) fn listen(_path: &Path) -> io::Result<Listener> {
    Err(unsupported())
}

pub(crate) fn polled(listener: Listener) -> io::Result<PolledListener> {
    match listener {}
}

pub(crate) fn connect(_path: &Path, _limit: Duration) -> io::Result<Socket> {
    Err(unsupported())
}

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "no Unix sockets here")
}

impl PolledListener {
    pub(crate) fn accept(&self) -> io::Result<(PolledStream, ())> {
        match *self {}
    }
}

impl Read for PolledStream {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl Write for PolledStream {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}

impl AsSocket for PolledStream {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        match *self {}
    }
}

impl AsRawFd for Listener {}
impl AsRawFd for PolledStream {}
impl AsRawFd for PolledListener {}

impl Source for PolledStream {
    fn register(&mut self, _: &PollRegistry, _: PollToken, _: Interest) -> io::Result<()> {
        match *self {}
    }

    fn reregister(&mut self, _: &PollRegistry, _: PollToken, _: Interest) -> io::Result<()> {
        match *self {}
    }

    fn deregister(&mut self, _: &PollRegistry) -> io::Result<()> {
        match *self {}
    }
}

impl Source for PolledListener {
    fn register(&mut self, _: &PollRegistry, _: PollToken, _: Interest) -> io::Result<()> {
        match *self {}
    }

    fn reregister(&mut self, _: &PollRegistry, _: PollToken, _: Interest) -> io::Result<()> {
        match *self {}
    }

    fn deregister(&mut self, _: &PollRegistry) -> io::Result<()> {
        match *self {}
    }
}

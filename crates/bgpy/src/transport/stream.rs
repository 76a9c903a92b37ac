//! The socket of an accepted connection, Unix or TCP.

use std::io::{self, IoSlice, Read};
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use mio::event::Source;
use socket2::{SockRef, Socket};

use crate::memory::segments::Segments;
#[cfg(unix)]
use crate::platform;
#[cfg(test)]
use crate::simulation::wire::{End, NO_DESCRIPTOR, ServerEnd};

/// A stream, Unix or TCP.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(mio::net::TcpStream),
    #[cfg(unix)]
    Unix(mio::net::UnixStream),
    #[cfg(test)]
    Simulated(ServerEnd),
}

impl Stream {
    pub(crate) fn is_unix(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            #[cfg(unix)]
            Self::Unix(_) => true,
            #[cfg(test)]
            Self::Simulated(ServerEnd(wire)) => wire.is_own(),
        }
    }

    /// Whether its peer is accepted: on a Unix socket, only a process of this user.
    #[cfg(unix)]
    pub(crate) fn is_welcome(&self) -> bool {
        match self {
            Self::Tcp(_) => true,
            Self::Unix(stream) => platform::is_same_user(stream),
            #[cfg(test)]
            Self::Simulated(_) => true,
        }
    }

    /// Writes what fits without blocking. If the peer is gone, returns an error and raises no
    /// SIGPIPE.
    pub(crate) fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        #[cfg(test)]
        if let Self::Simulated(ServerEnd(wire)) = self {
            return wire.write(End::Server, slices);
        }
        #[cfg(unix)]
        {
            match slices {
                [bytes] => platform::send_now(self, bytes),
                _ => platform::send_slices_now(self, slices),
            }
        }
        #[cfg(not(unix))]
        {
            let Self::Tcp(stream) = self;
            io::Write::write_vectored(stream, slices)
        }
    }

    pub(crate) fn send_offer(
        &mut self,
        offer: &[u8],
        segment: u16,
        segments: &Segments,
    ) -> io::Result<usize> {
        match self {
            #[cfg(unix)]
            Self::Unix(stream) => segments.send_offer(stream, offer, segment),
            // Segments are never offered over TCP.
            _ => self.send(&[IoSlice::new(offer)]),
        }
    }

    pub(crate) fn try_clone(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream).try_clone(),
            #[cfg(unix)]
            Self::Unix(stream) => SockRef::from(stream).try_clone(),
            #[cfg(test)]
            Self::Simulated(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(crate) fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            #[cfg(unix)]
            Self::Unix(stream) => stream,
            #[cfg(test)]
            Self::Simulated(ServerEnd(wire)) => wire,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
            #[cfg(test)]
            Self::Simulated(ServerEnd(wire)) => wire.read(End::Server, buffer),
        }
    }
}

#[cfg(unix)]
impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            #[cfg(test)]
            Self::Simulated(_) => unreachable!("it has no descriptor"),
        }
    }
}

#[cfg(unix)]
impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            #[cfg(test)]
            Self::Simulated(_) => NO_DESCRIPTOR,
            _ => self.as_fd().as_raw_fd(),
        }
    }
}

//! The socket of an accepted connection, Unix or TCP.

use std::io::{self, IoSlice, Read};

use mio::event::Source;
use socket2::{SockRef, Socket};

use crate::memory::segments::Segments;
use crate::platform::{self, AsRawFd, RawFd, unix_socket};
#[cfg(test)]
use crate::simulation::wire::{End, NO_DESCRIPTOR, ServerEnd};

/// A stream, Unix or TCP.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(mio::net::TcpStream),
    Unix(unix_socket::PolledStream),
    #[cfg(test)]
    Simulated(ServerEnd),
}

impl Stream {
    pub(crate) fn is_unix(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Unix(_) => true,
            #[cfg(test)]
            Self::Simulated(ServerEnd(wire)) => wire.is_own(),
        }
    }

    /// Whether its peer is accepted: on a Unix socket, only a process of this user.
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
        match self {
            Self::Tcp(stream) => platform::send_polled(stream, slices),
            Self::Unix(stream) => platform::send_polled(stream, slices),
            #[cfg(test)]
            Self::Simulated(ServerEnd(wire)) => wire.write(End::Server, slices),
        }
    }

    pub(crate) fn send_offer(
        &mut self,
        offer: &[u8],
        segment: u16,
        segments: &Segments,
    ) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => segments.send_offer(stream, offer, segment),
            // Segments are never offered over TCP.
            _ => self.send(&[IoSlice::new(offer)]),
        }
    }

    pub(crate) fn try_clone(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream).try_clone(),
            Self::Unix(stream) => SockRef::from(stream).try_clone(),
            #[cfg(test)]
            Self::Simulated(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(crate) fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
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
            Self::Unix(stream) => stream.read(buffer),
            #[cfg(test)]
            Self::Simulated(ServerEnd(wire)) => wire.read(End::Server, buffer),
        }
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
            #[cfg(test)]
            Self::Simulated(_) => NO_DESCRIPTOR,
        }
    }
}

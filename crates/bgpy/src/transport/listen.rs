//! Listening sockets.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use mio::event::Source;
use socket2::{Domain, SockRef, Socket, Type};

use super::stream::Stream;
use crate::address::Address;
use crate::error::ServeError;
use crate::platform::{self, AsRawFd, Private, RawFd, Stamp, unix_socket};
use crate::registry::{beside, put};
#[cfg(test)]
use crate::simulation::wire::{NO_DESCRIPTOR, ServerQueue};
use crate::transport::keepalive;

/// The accept backlog, unless the system's own limit is lower. Once it is full, a connecting client
/// gets no answer for a second or more.
const BACKLOG: i32 = 4096;

/// A listening socket, Unix or TCP.
pub(crate) enum Listener {
    Tcp(mio::net::TcpListener),
    Unix(unix_socket::PolledListener),
    #[cfg(test)]
    Simulated(ServerQueue),
}

/// Listens on the first usable address of a host.
pub(crate) fn tcp(address: &Address) -> Result<(TcpListener, SocketAddr), ServeError> {
    let candidates = address
        .resolve()
        .map_err(|source| ServeError::Resolve { host: address.host.clone(), source })?;
    let mut first = None;
    for candidate in candidates {
        match bind(candidate) {
            Ok(listener) => {
                let local = listener.local_addr()?;
                return Ok((listener, local));
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    let address = address.to_string();
    Err(match first.unwrap_or(io::ErrorKind::NotFound.into()) {
        error if error.kind() == io::ErrorKind::AddrInUse => ServeError::AddressInUse { address },
        source => ServeError::Bind { address, source },
    })
}

/// Checks that a server started now could listen on an address, given that the server on `own`
/// releases that address first.
///
/// # Errors
/// [`ServeError`], as for the start of a server.
pub fn can_listen(address: &Address, own: SocketAddr) -> Result<(), ServeError> {
    let resolved = address
        .resolve()
        .map_err(|source| ServeError::Resolve { host: address.host.clone(), source })?;
    if resolved.contains(&own) { Ok(()) } else { tcp(address).map(drop) }
}

/// Listens on a Unix socket; the stamp tells whether its file is still in place.
pub(crate) fn unix(path: &Path) -> io::Result<(unix_socket::Listener, Stamp)> {
    let listener = unix_socket::listen(path)?;
    Ok((listener, Stamp::at(path)?))
}

/// Listens on a Unix socket whose file was removed or replaced; returns the new listener, and the
/// index of the unreachable old one.
pub(crate) fn again(
    listeners: &[Private<Listener>],
    path: &Path,
    registry: &mio::Registry,
) -> io::Result<(Private<Listener>, usize, Stamp)> {
    let is_unix = |listener: &Private<Listener>| matches!(**listener, Listener::Unix(_));
    let index = listeners.iter().position(is_unix).ok_or(io::ErrorKind::NotFound)?;
    let beside = beside(path);
    let laid = unix(&beside).and_then(|(fresh, stamp)| {
        let mut fresh = Private::new(Listener::Unix(unix_socket::polled(fresh)?));
        registry.register(fresh.source(), mio::Token(index), mio::Interest::READABLE)?;
        put(&beside, path)?;
        Ok((fresh, index, stamp))
    });
    laid.inspect_err(|_| drop(std::fs::remove_file(&beside)))
}

/// Listens on one more Unix socket, which the poller gets to know by its index.
pub(crate) fn apart(
    path: &Path,
    index: usize,
    registry: &mio::Registry,
) -> io::Result<Private<Listener>> {
    let (listener, _) = unix(path)?;
    let polled = unix_socket::polled(listener).and_then(|listener| {
        let mut listener = Private::new(Listener::Unix(listener));
        registry.register(listener.source(), mio::Token(index), mio::Interest::READABLE)?;
        Ok(listener)
    });
    polled.inspect_err(|_| drop(std::fs::remove_file(path)))
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(listener) => listener.as_raw_fd(),
            Self::Unix(listener) => listener.as_raw_fd(),
            #[cfg(test)]
            Self::Simulated(_) => NO_DESCRIPTOR,
        }
    }
}

impl Listener {
    /// The length of the accept queue for TCP, if the system reports it.
    pub(crate) fn waiting(&self) -> usize {
        match self {
            Self::Tcp(listener) => platform::waiting_connections(listener),
            Self::Unix(_) => 0,
            #[cfg(test)]
            Self::Simulated(_) => 0,
        }
    }

    /// Accepts one connection and names its peer; `None` for a peer that is rejected.
    pub(crate) fn accept(&self) -> io::Result<Option<(Private<Stream>, String)>> {
        match self {
            Self::Tcp(listener) => {
                let mut peer = String::new();
                let accept = || -> io::Result<Stream> {
                    let (stream, from) = listener.accept()?;
                    peer = from.to_string();
                    Ok(Stream::Tcp(stream))
                };
                Ok(Some((Private::open(accept)?, peer)))
            }
            Self::Unix(listener) => {
                let accept = || listener.accept().map(|(stream, _)| Stream::Unix(stream));
                let stream = Private::open(accept)?;
                let welcome = stream.is_welcome();
                Ok(welcome.then(|| (stream, "this machine".to_owned())))
            }
            #[cfg(test)]
            Self::Simulated(queue) => {
                let stream = Private::new(Stream::Simulated(queue.accept()?));
                Ok(Some((stream, "a simulated client".to_owned())))
            }
        }
    }

    pub(crate) fn is_unix(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Unix(_) => true,
            #[cfg(test)]
            Self::Simulated(queue) => queue.is_own,
        }
    }

    pub(crate) fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(listener) => listener,
            Self::Unix(listener) => listener,
            #[cfg(test)]
            Self::Simulated(queue) => queue,
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    platform::allow_reuse(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Sets the options of a client's TCP connection. Unauthenticated connections, of which there may
/// be many, are not worth the system calls.
pub(crate) fn prepare(stream: &mio::net::TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    keepalive::ask(SockRef::from(stream))
}

//! Opening connections to a server: by its Unix socket, or by TCP.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::keepalive;
use crate::error::ConnectError;
use crate::platform;
use crate::wait::{SLICE, Wait};

/// Opens connections to one server, one after another, within one time limit.
pub(crate) struct Dialer<'a> {
    /// The server, as the user named it.
    pub(crate) server: &'a str,
    pub(crate) wait: &'a Wait<'a>,
    since: Instant,
}

impl<'a> Dialer<'a> {
    /// For an attempt that began at `since`.
    pub(crate) fn new(server: &'a str, wait: &'a Wait<'a>, since: Instant) -> Self {
        Self { server, wait, since }
    }

    /// Opens a connection to a Unix socket; `None` if nothing listens on it.
    pub(crate) fn unix(&self, path: &Path) -> Result<Option<Socket>, ConnectError> {
        loop {
            match platform::unix_socket::connect(path, self.left()?.min(SLICE)) {
                Ok(socket) => return Ok(Some(socket)),
                Err(error) if is_gone(&error) => return Ok(None),
                Err(error) if is_full(&error) => {
                    if self.wait.is_interrupted() {
                        return Err(ConnectError::Interrupted);
                    }
                }
                Err(source) => return Err(self.io(source)),
            }
        }
    }

    /// Opens a connection over TCP.
    pub(crate) fn tcp(&self, address: SocketAddr) -> Result<Socket, ConnectError> {
        let connected = || -> io::Result<Option<Socket>> {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
            platform::connect_start(&socket, &SockAddr::from(address))?;
            while !self.wait_for(&socket, true)? {
                if self.wait.is_interrupted() {
                    return Ok(None);
                }
            }
            platform::connect_finish(&socket)?;
            socket.set_tcp_nodelay(true)?;
            keepalive::ask(SockRef::from(&socket))?;
            Ok(Some(socket))
        };
        connected().map_err(|source| self.io(source))?.ok_or(ConnectError::Interrupted)
    }

    /// Waits for the socket for a slice of time; returns an error of kind `TimedOut` if the time
    /// limit is over.
    pub(crate) fn wait_for(&self, socket: &Socket, writable: bool) -> io::Result<bool> {
        let left = self.left().map_err(|_| io::ErrorKind::TimedOut)?;
        match platform::wait(socket, !writable, writable, left.min(SLICE)) {
            Ok(ready) => Ok(ready.readable || ready.writable),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sleeps, but not beyond the time limit.
    pub(crate) fn pause(&self, pause: Duration) -> Result<(), ConnectError> {
        thread::sleep(self.left()?.min(pause));
        Ok(())
    }

    /// The rest of the time.
    fn left(&self) -> Result<Duration, ConnectError> {
        let left = self.wait.left_to_connect(self.since);
        left.ok_or_else(|| self.io(io::ErrorKind::TimedOut.into()))
    }

    /// The error for a failed connection, from the system's error.
    pub(crate) fn io(&self, source: io::Error) -> ConnectError {
        let server = self.server.to_owned();
        match source.kind() {
            io::ErrorKind::ConnectionRefused => ConnectError::NotRunning { server },
            io::ErrorKind::TimedOut => {
                let after = self.wait.limit_to_connect();
                ConnectError::Timeout { server, after, process: None, connected: false }
            }
            _ => ConnectError::Io { server, source },
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

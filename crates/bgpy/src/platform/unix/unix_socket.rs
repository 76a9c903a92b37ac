//! Unix sockets.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use socket2::{SockAddr, Socket};

use crate::platform::is_same_user;

/// Whether this system has Unix sockets.
pub(crate) const EXIST: bool = true;

pub(crate) type Listener = std::os::unix::net::UnixListener;

/// A stream watched by a poller.
pub(crate) type PolledStream = mio::net::UnixStream;
/// A listener watched by a poller.
pub(crate) type PolledListener = mio::net::UnixListener;

/// Listens on a path.
pub(crate) fn listen(path: &Path) -> io::Result<Listener> {
    Listener::bind(path)
}

/// Prepares a listener for a poller.
pub(crate) fn polled(listener: Listener) -> io::Result<PolledListener> {
    listener.set_nonblocking(true)?;
    Ok(PolledListener::from_std(listener))
}

/// Connects to a Unix socket.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] if the server's accept queue stayed full until the limit,
/// [`io::ErrorKind::ConnectionRefused`] if nothing listens or the socket is of another type,
/// [`io::ErrorKind::PermissionDenied`] if the server belongs to another user.
pub(crate) fn connect(path: &Path, limit: Duration) -> io::Result<Socket> {
    let socket = Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.set_write_timeout(Some(limit))?;
    socket.connect(&SockAddr::unix(path)?).map_err(|error| match error.raw_os_error() {
        Some(code) if code == Errno::PROTOTYPE.raw_os_error() => {
            io::ErrorKind::ConnectionRefused.into()
        }
        _ => error,
    })?;
    // Data on a Unix socket is not encrypted.
    if is_same_user(&socket) {
        Ok(socket)
    } else {
        let text = "another user listens on the socket";
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    }
}

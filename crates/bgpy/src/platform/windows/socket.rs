//! Sockets.
//!
//! A blocked socket call cannot be interrupted, so waits end at the socket's timeouts instead.

use std::io::{self, IoSlice, Write};
use std::time::Duration;

use socket2::{SockAddr, Socket};

use super::unix_socket::PolledStream;
use crate::platform::{Readiness, Undelivered};

/// Whether a short read means that the socket is empty: here a poller reports a socket again only
/// after a read that would have blocked.
pub(crate) const SHORT_READ_EMPTIES: bool = false;

/// How long a write may block before its caller checks for other events.
const WRITE_SLICE: Duration = Duration::from_millis(50);

pub(crate) fn connect_start(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    socket.connect_timeout(address, Duration::from_secs(10))?;
    socket.set_write_timeout(Some(WRITE_SLICE))
}

pub(crate) fn connect_finish(_socket: &Socket) -> io::Result<()> {
    Ok(())
}

pub(crate) fn send_now(socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    socket.send(bytes)
}

pub(crate) fn send_slices_now(socket: &Socket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    socket.send_vectored(slices)
}

/// Writes what fits to a socket that a poller watches, which has to know when that would block.
pub(crate) fn send_polled(socket: &mut impl Write, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    socket.write_vectored(slices)
}

/// Reads nothing: making a socket non-blocking for reads would make it non-blocking for writes too.
pub(crate) fn recv_now(_socket: &Socket, _buffer: &mut [u8]) -> io::Result<usize> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// Never called: only data from a Unix socket is read directly into its buffer.
pub(crate) fn read_end<S>(_socket: S, _bytes: &mut Vec<u8>, _most: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn wait(
    socket: &Socket,
    readable: bool,
    writable: bool,
    limit: Duration,
) -> io::Result<Readiness> {
    if writable {
        // The write itself waits for a slice of time.
        return Ok(Readiness { readable, writable });
    }
    let before = socket.read_timeout()?;
    socket.set_read_timeout(Some(limit.max(Duration::from_millis(1))))?;
    let peeked = socket.peek(&mut [std::mem::MaybeUninit::uninit()]);
    socket.set_read_timeout(before)?;
    let waiting = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
    };
    Ok(Readiness { readable: !peeked.as_ref().is_err_and(waiting), writable: false })
}

pub(crate) fn is_called<T>(_listener: &T) -> bool {
    true
}

/// Windows itself gives a connection up after five unacknowledged transmissions, about 20 seconds.
pub(crate) fn hasten_delivery<S>(_socket: &S) {}

pub(crate) fn waiting_connections<S>(_listener: &S) -> usize {
    0
}

pub(crate) fn undelivered<S>(_socket: &S) -> io::Result<Option<Undelivered>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A port can be used again at once. The option of that name would let two servers share one.
pub(crate) fn allow_reuse(_socket: &Socket) -> io::Result<()> {
    Ok(())
}

pub(crate) fn is_same_user(stream: &PolledStream) -> bool {
    match *stream {}
}

pub(crate) fn peer_process(_socket: &Socket) -> Option<u32> {
    None
}

//! Sockets of TCP. All of a client's are non-blocking: one that blocks could not be interrupted.

use std::io::{self, IoSlice, Read, Write};
use std::os::windows::io::AsRawSocket;
use std::time::Duration;

use socket2::{SockAddr, Socket, TcpKeepalive};
use windows_sys::Win32::Networking::WinSock::{
    FD_SET, SO_EXCLUSIVEADDRUSE, SOCKET, SOCKET_ERROR, SOL_SOCKET, TIMEVAL, WSAENOPROTOOPT,
    WSAGetLastError, select, setsockopt,
};

use super::descriptor::AsRawFd;
use super::unix_socket::PolledStream;
use crate::platform::{Readiness, Undelivered};

/// Whether a short read means that the socket is empty: here a poller reports a socket again only
/// after a read that would have blocked.
pub(crate) const SHORT_READ_EMPTIES: bool = false;

/// Starts to connect; the socket becomes writable when that is done.
pub(crate) fn connect_start(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    match socket.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        result => result,
    }
}

/// Completes [`connect_start`] after the socket became writable.
pub(crate) fn connect_finish(socket: &Socket) -> io::Result<()> {
    socket.take_error()?.map_or(Ok(()), Err)
}

/// Reads; waits for the socket's own read timeout at most.
pub(crate) fn recv(mut socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    match socket.read(buffer) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        outcome => return outcome,
    }
    let limit = socket.read_timeout()?.unwrap_or(Duration::MAX);
    if wait(socket, true, false, limit)?.readable {
        socket.read(buffer)
    } else {
        Err(io::ErrorKind::TimedOut.into())
    }
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

/// Reads what is there without blocking.
pub(crate) fn recv_now(mut socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    socket.read(buffer)
}

/// Never called: only data from a Unix socket is read directly into its buffer.
pub(crate) fn read_end<S>(_socket: S, _bytes: &mut Vec<u8>, _most: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Waits until the socket is ready or the time is over.
pub(crate) fn wait(
    socket: &Socket,
    readable: bool,
    writable: bool,
    limit: Duration,
) -> io::Result<Readiness> {
    ready(socket.as_raw_socket() as SOCKET, readable, writable, limit)
}

fn ready(socket: SOCKET, readable: bool, writable: bool, limit: Duration) -> io::Result<Readiness> {
    let set = |is_wanted: bool| {
        let mut set = FD_SET::default();
        if is_wanted {
            (set.fd_count, set.fd_array[0]) = (1, socket);
        }
        set
    };
    // A failed connection shows as an exception, and at the following write.
    let [mut reads, mut writes, mut failures] = [set(readable), set(writable), set(writable)];
    let limit = TIMEVAL {
        tv_sec: i32::try_from(limit.as_secs()).unwrap_or(i32::MAX),
        // Rounded up, so that the time is over when it returns.
        tv_usec: limit.subsec_nanos().div_ceil(1000).min(999_999) as i32,
    };
    // SAFETY: the sets are initialized, and they and the limit outlive the call.
    let count =
        unsafe { select(0, &raw mut reads, &raw mut writes, &raw mut failures, &raw const limit) };
    if count == SOCKET_ERROR {
        // SAFETY: it takes no arguments.
        return Err(io::Error::from_raw_os_error(unsafe { WSAGetLastError() }));
    }
    Ok(Readiness {
        readable: reads.fd_count > 0,
        writable: writes.fd_count > 0 || failures.fd_count > 0,
    })
}

/// Whether the accept queue is not empty.
pub(crate) fn is_called(listener: &impl AsRawFd) -> bool {
    ready(listener.as_raw_fd() as SOCKET, true, false, Duration::ZERO)
        .is_ok_and(|ready| ready.readable)
}

/// Windows itself gives a connection up after five unacknowledged transmissions, about 20 seconds.
pub(crate) fn hasten_delivery<S>(_socket: &S) {}

pub(crate) fn waiting_connections<S>(_listener: &S) -> usize {
    0
}

pub(crate) fn undelivered<S>(_socket: &S) -> io::Result<Option<Undelivered>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes the system probe a silent peer, and lose the connection after some unanswered probes: ten, where
/// their number cannot be chosen, as before Windows 10 1703 and on Wine 8.
pub(crate) fn keep_alive(
    socket: &Socket,
    after: Duration,
    every: Duration,
    times: u32,
) -> io::Result<()> {
    let probes = TcpKeepalive::new().with_time(after).with_interval(every);
    match socket.set_tcp_keepalive(&probes.clone().with_retries(times)) {
        Err(error) if error.raw_os_error() == Some(WSAENOPROTOOPT) => {
            socket.set_tcp_keepalive(&probes)
        }
        outcome => outcome,
    }
}

/// A port can be used again at once. Without this option, another user's program could listen on the
/// same one.
pub(crate) fn allow_reuse(socket: &Socket) -> io::Result<()> {
    let (yes, number) = (1_i32, socket.as_raw_socket() as SOCKET);
    let length = size_of_val(&yes) as i32;
    // SAFETY: the socket is open, and the value has the given length and outlives the call.
    let failed = unsafe {
        setsockopt(number, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (&raw const yes).cast(), length)
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub(crate) fn is_same_user(stream: &PolledStream) -> bool {
    match *stream {}
}

pub(crate) fn peer_process(_socket: &Socket) -> Option<u32> {
    None
}

//! Connecting, reading, writing and waiting without blocking for longer than wanted.

use std::io::{self, IoSlice, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use socket2::{SockAddr, Socket, TcpKeepalive};

use crate::platform::{NO_SIGPIPE, Readiness};

/// Whether a short read means that the socket is empty, so that no further read is needed. True for
/// stream sockets under epoll and kqueue.
pub(crate) const SHORT_READ_EMPTIES: bool = true;

/// Starts to connect; the socket becomes writable when that is done.
pub(crate) fn connect_start(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    match socket.connect(address) {
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => Ok(()),
        result => result,
    }
}

/// Completes [`connect_start`] after the socket became writable.
pub(crate) fn connect_finish(socket: &Socket) -> io::Result<()> {
    match socket.take_error()? {
        Some(error) => Err(error),
        None => socket.set_nonblocking(false),
    }
}

/// Writes what fits without blocking.
pub(crate) fn send_now(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, bytes, SendFlags::DONTWAIT | NO_SIGPIPE)?)
}

/// Writes what fits of several slices without blocking.
pub(crate) fn send_slices_now(socket: impl AsFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = SendFlags::DONTWAIT | NO_SIGPIPE;
    Ok(rustix::net::sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags)?)
}

/// Writes what fits to a socket that a poller watches.
pub(crate) fn send_polled(socket: &impl AsFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    match slices {
        [bytes] => send_now(socket, bytes),
        _ => send_slices_now(socket, slices),
    }
}

/// Reads; waits for the socket's own read timeout at most.
pub(crate) fn recv(mut socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    socket.read(buffer)
}

/// Reads what is there without blocking.
pub(crate) fn recv_now(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    let (bytes, _) = rustix::net::recv(socket, buffer, RecvFlags::DONTWAIT)?;
    Ok(bytes)
}

/// Appends what is there to a vector without blocking, at most `most` bytes, for which it has room.
pub(crate) fn read_end(socket: impl AsFd, bytes: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    let length = bytes.len();
    let room = &mut bytes.spare_capacity_mut()[..most];
    let ((read, _), _) = rustix::net::recv(socket, room, RecvFlags::DONTWAIT)?;
    let read = read.len();
    // SAFETY: this many bytes after the end were just written.
    unsafe { bytes.set_len(length + read) };
    Ok(read)
}

/// Waits until the socket is ready or the time is over.
///
/// # Errors
/// [`io::ErrorKind::Interrupted`] if a signal arrived.
pub(crate) fn wait(
    socket: &Socket,
    readable: bool,
    writable: bool,
    limit: Duration,
) -> io::Result<Readiness> {
    let mut interest = PollFlags::empty();
    interest.set(PollFlags::IN, readable);
    interest.set(PollFlags::OUT, writable);
    let mut fds = [PollFd::from_borrowed_fd(socket.as_fd(), interest)];
    let limit = Timespec::try_from(limit).unwrap_or(Timespec { tv_sec: 1 << 30, tv_nsec: 0 });
    poll(&mut fds, Some(&limit))?;
    // An error or a hang-up shows at the following read or write.
    let broken = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    let ready = fds[0].revents();
    Ok(Readiness {
        readable: readable && ready.intersects(PollFlags::IN | broken),
        writable: writable && ready.intersects(PollFlags::OUT | broken),
    })
}

/// Makes the system probe a silent peer, and lose the connection after some unanswered probes.
pub(crate) fn keep_alive(
    socket: &Socket,
    after: Duration,
    every: Duration,
    times: u32,
) -> io::Result<()> {
    let probes = TcpKeepalive::new().with_time(after).with_interval(every).with_retries(times);
    socket.set_tcp_keepalive(&probes)
}

/// Allows listening on a port whose last server has just ended.
pub(crate) fn allow_reuse(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// Whether the accept queue is not empty. Without free descriptors, `accept` fails before it checks
/// that.
pub(crate) fn is_called(listener: &impl AsRawFd) -> bool {
    // SAFETY: the number is only passed to the system, which returns an error if it is not open.
    let listener = unsafe { BorrowedFd::borrow_raw(listener.as_raw_fd()) };
    let mut looked = [PollFd::from_borrowed_fd(listener, PollFlags::IN)];
    poll(&mut looked, Some(&Timespec::default())).is_ok_and(|count| count > 0)
}

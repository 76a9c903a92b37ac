//! The system's view of data under way over TCP.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use crate::platform::Undelivered;

/// The longest pause between retransmissions: `TCP_RTO_MAX_MS`, which Linux 6.15 and later have.
const RTO_MAX_MS: (i32, u32) = (44, 8_000);

/// Makes the system detect undelivered data soon. Without the option it is detected later.
pub(crate) fn hasten_delivery(socket: &impl AsFd) {
    let (name, value) = RTO_MAX_MS;
    let length = size_of_val(&value) as libc::socklen_t;
    let number = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open, and the value has the given length. A kernel without the
    // option returns an error.
    unsafe {
        libc::setsockopt(number, libc::IPPROTO_TCP, name, (&raw const value).cast(), length);
    }
}

/// The state of data that was given to the system for the other end of a TCP connection; `None` if
/// all of it has arrived.
///
/// # Errors
/// The system's error, also if it does not report the state.
pub(crate) fn undelivered(socket: &impl AsFd) -> io::Result<Option<Undelivered>> {
    let number = socket.as_fd().as_raw_fd();
    let mut waiting: libc::c_int = 0;
    // SAFETY: the descriptor is open, and the result is a number of this type.
    if unsafe { libc::ioctl(number, libc::TIOCOUTQ, &raw mut waiting) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if waiting == 0 {
        return Ok(None);
    }
    let info = tcp_info(socket)?;
    let heard_ms = info.tcpi_last_ack_recv.min(info.tcpi_last_data_recv);
    Ok(Some(Undelivered {
        tries: info.tcpi_retransmits.max(info.tcpi_probes),
        silence: Duration::from_millis(heard_ms.into()),
    }))
}

/// The length of the accept queue, if the system reports it.
pub(crate) fn waiting_connections(listener: &impl AsFd) -> usize {
    // For a listener, the kernel reports the length of the accept queue in this field.
    tcp_info(listener).map_or(0, |info| info.tcpi_unacked as usize)
}

fn tcp_info(socket: &impl AsFd) -> io::Result<libc::tcp_info> {
    let number = socket.as_fd().as_raw_fd();
    // SAFETY: it consists of numbers, for which 0 is valid.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the descriptor is open, and the buffer has the given length. An older kernel fills
    // less.
    let failed = unsafe {
        let place = (&raw mut info).cast();
        libc::getsockopt(number, libc::IPPROTO_TCP, libc::TCP_INFO, place, &raw mut length)
    };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(info)
}

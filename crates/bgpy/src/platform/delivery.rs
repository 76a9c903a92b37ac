//! What the system knows of data that is on its way over TCP.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use super::Delivery;

/// The longest pause between two tries to deliver something, where the system lets that be chosen: Linux
/// from 6.15 on, as `TCP_RTO_MAX_MS`.
#[cfg(target_os = "linux")]
const RTO_MAX_MS: (i32, u32) = (44, 8_000);

/// How long the system tries to deliver something before it gives the connection up, in seconds. Only what
/// is sent to a window that is open counts: see `TCP_RXT_CONNDROPTIME` in Darwin's netinet/tcp.h.
#[cfg(target_vendor = "apple")]
const DROP_TIME_S: (i32, u32) = (0x80, 50);

/// Has the system find out soon whether data arrives. Where it cannot, it finds out later.
pub(crate) fn hasten_delivery(socket: &impl AsFd) {
    #[cfg(target_os = "linux")]
    let option = Some(RTO_MAX_MS);
    #[cfg(target_vendor = "apple")]
    let option = Some(DROP_TIME_S);
    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    let option = None::<(i32, u32)>;
    let Some((name, value)) = option else { return };
    let length = size_of_val(&value) as libc::socklen_t;
    let number = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open, and the value as long as it is said to be. A system that does not know
    // the option says so.
    unsafe {
        libc::setsockopt(number, libc::IPPROTO_TCP, name, (&raw const value).cast(), length);
    }
}

/// How data fares that was given to the system for the other end of a TCP connection; none when all of it has
/// arrived.
///
/// # Errors
/// What the system says, also that it does not tell.
#[cfg(target_os = "linux")]
pub(crate) fn delivery(socket: &impl AsFd) -> io::Result<Option<Delivery>> {
    let number = socket.as_fd().as_raw_fd();
    let mut waiting: libc::c_int = 0;
    // SAFETY: the descriptor is open, and the answer is a number of this type.
    if unsafe { libc::ioctl(number, libc::TIOCOUTQ, &raw mut waiting) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if waiting == 0 {
        return Ok(None);
    }
    let info = tcp_info(socket)?;
    let heard_ms = info.tcpi_last_ack_recv.min(info.tcpi_last_data_recv);
    Ok(Some(Delivery {
        tries: info.tcpi_retransmits.max(info.tcpi_probes),
        silence: Duration::from_millis(heard_ms.into()),
    }))
}

/// How many connections wait to be accepted, as far as the system tells.
#[cfg(target_os = "linux")]
pub(crate) fn waiting_connections(listener: &impl AsFd) -> usize {
    // Of a listener the kernel tells the length of that queue in place of what is not acknowledged.
    tcp_info(listener).map_or(0, |info| info.tcpi_unacked as usize)
}

#[cfg(target_os = "linux")]
fn tcp_info(socket: &impl AsFd) -> io::Result<libc::tcp_info> {
    let number = socket.as_fd().as_raw_fd();
    // SAFETY: it consists of numbers, for which 0 is one.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the descriptor is open, and the buffer as long as it is said to be. An older kernel fills less.
    let failed = unsafe {
        let place = (&raw mut info).cast();
        libc::getsockopt(number, libc::IPPROTO_TCP, libc::TCP_INFO, place, &raw mut length)
    };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(info)
}

/// How many connections wait is not told here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn waiting_connections(_listener: &impl AsFd) -> usize {
    0
}

/// How data fares is not told here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn delivery(_socket: &impl AsFd) -> io::Result<Option<Delivery>> {
    Err(io::ErrorKind::Unsupported.into())
}

//! Sockets between a client and a server: opened, listened on, and kept alive.

pub(crate) mod dial;
pub(crate) mod keepalive;
pub(crate) mod listen;
mod stream;

pub(crate) use listen::Listener;
pub use listen::can_listen;
pub(crate) use stream::Stream;

use std::io;

/// Whether an error of a socket only means that nothing happened yet.
pub(crate) fn is_pause(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

//! Sockets between a client and a server: dialling, listening, keepalive.

pub(crate) mod dial;
pub(crate) mod keepalive;
pub(crate) mod listen;
mod stream;

pub(crate) use listen::Listener;
pub use listen::can_listen;
pub(crate) use stream::Stream;

use std::io;

/// Whether a socket error only means that nothing has happened yet.
pub(crate) fn is_pause(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

//! A bell for an event loop, which watches its socket.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::windows::io::AsRawSocket;
use std::sync::atomic::{AtomicBool, Ordering};

use super::wake_up::pair;

/// A pair of sockets: what is written to one makes the other readable.
#[derive(Debug)]
pub struct SocketBell {
    write: TcpStream,
    read: TcpStream,
    /// Whether it has rung since it was last heard, so that a bell that nobody hears never fills the sockets.
    rings: AtomicBool,
}

impl SocketBell {
    /// A bell that does not ring.
    ///
    /// # Errors
    /// The system's error if there are no sockets left.
    pub fn new() -> io::Result<Self> {
        let (read, write) = pair()?;
        Ok(Self { write, read, rings: AtomicBool::new(false) })
    }

    /// The socket that is readable once it has rung.
    pub fn descriptor(&self) -> i64 {
        self.read.as_raw_socket() as i64
    }

    /// Rings it.
    pub fn ring(&self) {
        if !self.rings.swap(true, Ordering::SeqCst) {
            drop((&self.write).write(&[0]));
        }
    }

    /// Notes that it was heard.
    pub fn heard(&self) {
        // A ring from here on is another one: the flag is cleared after what was written is read.
        drop((&self.read).read(&mut [0; 8]));
        self.rings.store(false, Ordering::SeqCst);
    }
}

//! A bell for an event loop, which watches its descriptor.

use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use super::fork::Private;
use super::socket::send_now;

/// A pair of sockets: what is written to one makes the other readable.
#[derive(Debug)]
pub struct SocketBell {
    write: Private<UnixStream>,
    read: Private<UnixStream>,
    /// Whether it has rung since it was last heard, so that a bell that nobody hears never fills the sockets.
    rings: AtomicBool,
}

impl SocketBell {
    /// A bell that does not ring.
    ///
    /// # Errors
    /// The system's error if there are no descriptors left.
    pub fn new() -> io::Result<Self> {
        let (write, read) = UnixStream::pair()?;
        write.set_nonblocking(true)?;
        read.set_nonblocking(true)?;
        let (write, read) = (Private::new(write), Private::new(read));
        Ok(Self { write, read, rings: AtomicBool::new(false) })
    }

    /// The descriptor that is readable once it has rung.
    pub fn descriptor(&self) -> i64 {
        self.read.as_raw_fd().into()
    }

    /// Rings it.
    pub fn ring(&self) {
        if !self.rings.swap(true, Ordering::SeqCst) {
            drop(send_now(&*self.write, &[0]));
        }
    }

    /// Notes that it was heard.
    pub fn heard(&self) {
        // A ring from here on is another one: the flag is cleared after what was written is read.
        drop((&*self.read).read(&mut [0; 8]));
        self.rings.store(false, Ordering::SeqCst);
    }
}

//! Waking a thread that polls: by its poller, and by a connection to which a signal handler writes.

use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::windows::io::AsRawSocket;
use std::sync::Arc;

use mio::{Interest, Registry as PollRegistry, Token as PollToken};

use super::descriptor::number_of;

/// Written by nobody who handles a signal.
const NO_SIGNAL: u8 = 0;

/// What wakes: the poller's own waker, and the end that a handler of Ctrl-C writes to.
#[derive(Debug)]
pub(crate) struct Waker {
    poller: mio::Waker,
    signals: TcpStream,
}

/// The end that the reactor reads.
#[derive(Debug)]
pub(crate) struct Receiver {
    signals: mio::net::TcpStream,
}

impl Receiver {
    pub(crate) fn new(registry: &PollRegistry, token: PollToken) -> io::Result<(Arc<Waker>, Self)> {
        let (read, write) = pair()?;
        let mut signals = mio::net::TcpStream::from_std(read);
        registry.register(&mut signals, token, Interest::READABLE)?;
        let waker = Waker { poller: mio::Waker::new(registry, token)?, signals: write };
        Ok((Arc::new(waker), Self { signals }))
    }

    pub(crate) fn descriptor(&self) -> i32 {
        -1
    }

    /// Reads what has been written. Returns whether a signal has arrived.
    pub(crate) fn drain(&mut self) -> bool {
        let mut buffer = [0; 64];
        let mut has_signal = false;
        loop {
            match self.signals.read(&mut buffer) {
                Ok(0) => return has_signal,
                Ok(count) => has_signal |= buffer[..count].iter().any(|byte| *byte != NO_SIGNAL),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return has_signal,
            }
        }
    }
}

impl Waker {
    pub(crate) fn wake(&self) {
        // Fails only if the poller is gone, and then there is no thread to wake.
        drop(self.poller.wake());
    }

    /// Where the number of a signal is written to; Python takes a socket there as well.
    pub(crate) fn descriptor(&self) -> Option<i32> {
        Some(number_of(self.signals.as_raw_socket()))
    }
}

/// Two ends of a connection, neither of which blocks.
pub(super) fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let write = TcpStream::connect(listener.local_addr()?)?;
    let own = write.local_addr()?;
    loop {
        let (read, from) = listener.accept()?;
        // Another program may have found the port.
        if from == own {
            read.set_nonblocking(true)?;
            write.set_nonblocking(true)?;
            write.set_nodelay(true)?;
            return Ok((read, write));
        }
    }
}

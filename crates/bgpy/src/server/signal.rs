//! A pipe into the reactor that a signal handler may write to.

use std::io;

use mio::{Registry, Token};

/// The end that the reactor reads.
pub(super) struct Receiver {
    #[cfg(unix)]
    stream: mio::net::UnixStream,
}

/// The end for the handler: one byte wakes the reactor, which then calls
/// [`Executor::signalled`](super::Executor::signalled).
#[derive(Debug)]
pub struct SignalPipe {
    #[cfg(unix)]
    stream: std::os::unix::net::UnixStream,
}

#[cfg(unix)]
pub(super) fn pipe() -> io::Result<(SignalPipe, Receiver)> {
    let (write, read) = std::os::unix::net::UnixStream::pair()?;
    write.set_nonblocking(true)?;
    read.set_nonblocking(true)?;
    let stream = mio::net::UnixStream::from_std(read);
    Ok((SignalPipe { stream: write }, Receiver { stream }))
}

#[cfg(not(unix))]
pub(super) fn pipe() -> io::Result<(SignalPipe, Receiver)> {
    Ok((SignalPipe {}, Receiver {}))
}

impl SignalPipe {
    /// The descriptor to write to; none where there are no signals.
    pub fn descriptor(&self) -> Option<i32> {
        #[cfg(unix)]
        {
            Some(std::os::fd::AsRawFd::as_raw_fd(&self.stream))
        }
        #[cfg(not(unix))]
        {
            None
        }
    }
}

impl Receiver {
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        #[cfg(unix)]
        registry.register(&mut self.stream, token, mio::Interest::READABLE)?;
        let _ = (registry, token);
        Ok(())
    }

    /// Takes the bytes that the handler has written.
    pub(super) fn drain(&mut self) {
        #[cfg(unix)]
        while matches!(io::Read::read(&mut self.stream, &mut [0; 64]), Ok(64)) {}
    }
}

//! Waking a thread that polls: a pipe, to which a signal handler can write as well.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::{Registry as PollRegistry, Token as PollToken};

use super::fork::Private;
use super::socket::send_now;

/// Written by the server's own threads; not the number of any signal.
const NO_SIGNAL: u8 = 0;

/// The number of the write end is below this, which `select` can still watch.
const BELOW: RawFd = 1024;

/// The write end.
#[derive(Debug)]
pub(crate) struct Waker {
    stream: Private<UnixStream>,
    /// Whether a wake-up byte is in the pipe already, so that wake-ups never fill it.
    is_waking: AtomicBool,
}

/// The read end, which belongs to the reactor.
#[derive(Debug)]
pub(crate) struct Receiver {
    stream: Private<mio::net::UnixStream>,
    waker: Arc<Waker>,
}

/// Gives the stream a high number, if the limit of open files allows. Python's signal handlers write to this
/// number also in a child that the system call itself has forked, which runs no hooks. If such a child
/// closes all that it has inherited, the files that it opens get low numbers, not this one.
fn moved_up(stream: UnixStream) -> UnixStream {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is written to a variable of this function.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    let high = RawFd::try_from(limit.rlim_cur).unwrap_or(RawFd::MAX).min(BELOW) / 8 * 7;
    // SAFETY: the descriptor is open; the new one belongs to nobody else.
    unsafe {
        let moved = libc::fcntl(stream.as_raw_fd(), libc::F_DUPFD_CLOEXEC, high);
        if moved < 0 { stream } else { UnixStream::from_raw_fd(moved) }
    }
}

impl Receiver {
    pub(crate) fn new(registry: &PollRegistry, token: PollToken) -> io::Result<(Arc<Waker>, Self)> {
        let (write, read) = UnixStream::pair()?;
        write.set_nonblocking(true)?;
        read.set_nonblocking(true)?;
        let stream = Private::open(|| Ok::<_, io::Error>(moved_up(write)))?;
        let waker = Arc::new(Waker { stream, is_waking: AtomicBool::new(false) });
        let mut stream = Private::new(mio::net::UnixStream::from_std(read));
        registry.register(&mut *stream, token, mio::Interest::READABLE)?;
        Ok((waker.clone(), Self { stream, waker }))
    }

    /// The descriptor that the poller watches.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Reads what has been written. Returns whether a signal has arrived.
    ///
    /// The flag is cleared after the read, so that it is never left set without a byte in the pipe,
    /// which would keep out all later wake-ups. A `wake` that still finds it set writes nothing; the
    /// swap makes what its caller changed before visible here.
    pub(crate) fn drain(&mut self) -> bool {
        let (mut bytes, mut signalled) = ([0; 64], false);
        loop {
            let count = self.stream.read(&mut bytes).unwrap_or(0);
            signalled |= bytes[..count].iter().any(|byte| *byte != NO_SIGNAL);
            if count < bytes.len() {
                break;
            }
        }
        self.waker.is_waking.swap(false, Ordering::SeqCst);
        signalled
    }
}

impl Waker {
    pub(crate) fn wake(&self) {
        if !self.is_waking.swap(true, Ordering::SeqCst) {
            // Fails only if the poller is gone as well, and then there is no thread to wake.
            drop(send_now(&*self.stream, &[NO_SIGNAL]));
        }
    }

    pub(crate) fn descriptor(&self) -> Option<i32> {
        Some(self.stream.as_raw_fd())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::thread;

    use super::*;

    const ROUNDS: u32 = 20_000;

    #[test]
    fn a_wake_up_during_a_read_keeps_no_later_one_out() {
        let poll = mio::Poll::new().unwrap();
        let (waker, mut receiver) = Receiver::new(poll.registry(), PollToken(0)).unwrap();
        let [started, done] = [(); 2].map(|()| AtomicU32::new(0));
        let reach = |count: &AtomicU32, number| {
            while count.load(Ordering::SeqCst) < number {
                thread::yield_now();
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1..=ROUNDS {
                    reach(&started, number);
                    waker.wake();
                    done.store(number, Ordering::SeqCst);
                }
            });
            let mut stuck = 0;
            for number in 1..=ROUNDS {
                waker.wake();
                started.store(number, Ordering::SeqCst);
                receiver.drain();
                reach(&done, number);
                let is_waking = waker.is_waking.swap(false, Ordering::SeqCst);
                let bytes = receiver.stream.read(&mut [0; 64]).unwrap_or(0);
                stuck += u32::from(is_waking && bytes == 0);
            }
            assert_eq!(stuck, 0, "the flag is set, and nothing would clear it");
        });
    }
}

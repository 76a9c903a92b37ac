//! Waking a thread from any system call.

use std::sync::Once;

use signal_hook::consts::SIGURG;
use signal_hook::low_level::register;

static HANDLER: Once = Once::new();

/// A thread that may have to be woken.
#[derive(Debug)]
pub(crate) struct Sleeper(libc::pthread_t);

impl Sleeper {
    /// The calling thread.
    pub(crate) fn here() -> Self {
        // SAFETY: it cannot fail.
        Self(unsafe { libc::pthread_self() })
    }

    /// Interrupts the system call that the thread sleeps in, if it does, with EINTR. The thread
    /// must not have ended.
    ///
    /// SIGURG is ignored by default, so nobody else notices it; its handler is installed at the
    /// first use.
    pub(crate) fn interrupt(&self) {
        // SAFETY: the handler does nothing. If the system rejects it, the signal stays ignored.
        HANDLER.call_once(|| drop(unsafe { register(SIGURG, || {}) }));
        self.signal();
    }

    /// Sends the thread SIGURG, for a process that has a handler of its own for it. The thread must not have ended.
    pub(crate) fn signal(&self) {
        // SAFETY: the caller guarantees that the thread has not ended.
        unsafe { libc::pthread_kill(self.0, SIGURG) };
    }
}

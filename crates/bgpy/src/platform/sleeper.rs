//! A thread that is woken from whatever system call it sleeps in.

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

    /// Ends the system call in which the thread sleeps, if it does, with an error that says so. The thread
    /// must not have ended.
    ///
    /// The signal is one that nobody notices unless they have asked for it; it gets a handler only now.
    pub(crate) fn interrupt(&self) {
        // SAFETY: the handler does nothing. Where the system refuses it, the signal is ignored.
        HANDLER.call_once(|| drop(unsafe { register(SIGURG, || {}) }));
        // SAFETY: the thread lives, as the caller has said.
        unsafe { libc::pthread_kill(self.0, SIGURG) };
    }
}

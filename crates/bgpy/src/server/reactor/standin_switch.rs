//! The switches of the [stand-in](super::standin): when it watches, and when it ends.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

#[derive(Debug, Default)]
pub(crate) struct StandInSwitch {
    pub(crate) thread: OnceLock<Thread>,
    pub(crate) armed: AtomicBool,
    over: AtomicBool,
}

impl StandInSwitch {
    /// Makes the thread watch. Called whenever the executing thread stops polling.
    ///
    /// The executing thread sets `away` before it reads `armed` here, and the stand-in clears `armed`
    /// before it reads `away`. Both are sequentially consistent, so at least one of them sees the other.
    pub(crate) fn arm(&self) {
        if !self.armed.load(Ordering::SeqCst) {
            self.armed.store(true, Ordering::SeqCst);
            self.unpark();
        }
    }

    /// Lets the thread end.
    pub(crate) fn quit(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.unpark();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn unpark(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

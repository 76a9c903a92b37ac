//! The pipe by which a signal handler or another thread wakes the reactor.

use std::sync::Arc;

pub(crate) use crate::platform::wake_up::{Receiver, Waker};

/// The handler's end: writing the number of a signal as one byte wakes the reactor, which then
/// calls [`Executor::signalled`](crate::server::Executor::signalled).
#[derive(Debug)]
pub struct SignalPipe {
    waker: Arc<Waker>,
}

impl SignalPipe {
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        Self { waker }
    }

    /// The descriptor to write to; `None` on systems without signals.
    pub fn descriptor(&self) -> Option<i32> {
        self.waker.descriptor()
    }
}

//! Waking a thread that polls.

use std::io;
use std::sync::Arc;

use mio::{Registry, Token};

/// On systems without signals, the poller's own waker.
#[derive(Debug)]
pub(crate) struct Waker(mio::Waker);

#[derive(Debug)]
pub(crate) struct Receiver;

impl Receiver {
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<(Arc<Waker>, Self)> {
        Ok((Arc::new(Waker(mio::Waker::new(registry, token)?)), Self))
    }

    pub(crate) fn descriptor(&self) -> i32 {
        -1
    }

    pub(crate) fn drain(&mut self) -> bool {
        false
    }
}

impl Waker {
    pub(crate) fn wake(&self) {
        // Fails only if the poller is gone, and then there is no thread to wake.
        drop(self.0.wake());
    }

    pub(crate) fn descriptor(&self) -> Option<i32> {
        None
    }
}

//! The end of a server, for those who wait for it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::sync::lock;

/// Whether the server has ended; a waiter can hold this without keeping the server alive.
#[derive(Debug, Default)]
pub(super) struct End {
    came: Mutex<bool>,
    changed: Condvar,
}

impl End {
    pub(super) fn announce(&self) {
        *lock(&self.came) = true;
        self.changed.notify_all();
    }

    pub(super) fn comes_within(&self, limit: Duration) -> bool {
        let came = self.changed.wait_timeout_while(lock(&self.came), limit, |came| !*came);
        *came.unwrap_or_else(PoisonError::into_inner).0
    }
}

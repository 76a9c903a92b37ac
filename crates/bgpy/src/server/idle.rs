//! The idle timeout: a server that is not called for so long ends.

use std::time::{Duration, Instant};

use crate::clock;

/// The idle timeout, if there is one, and when the server was last called.
#[derive(Debug)]
pub(super) struct IdleTimeout {
    limit: Option<Duration>,
    since: Instant,
}

impl IdleTimeout {
    /// From now on.
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, since: clock::now() }
    }

    pub(super) fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// Starts the time again: a call has ended just now.
    pub(super) fn note_use(&mut self) {
        // Without a timeout the clock is not read.
        if self.limit.is_some() {
            self.since = clock::now();
        }
    }

    /// When it expires, if the server stays idle until then.
    pub(super) fn expires(&self) -> Option<Instant> {
        // An overflow of the clock means never.
        self.since.checked_add(self.limit?)
    }
}

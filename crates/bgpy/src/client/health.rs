//! Whether a connection is usable: it is open, belongs to this process, and its server responds.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bgpy_proto::limits;

use super::link::Link;
use crate::error::Lost;
use crate::sync::lock;
use crate::wait::Wait;

/// A connection that was idle for longer, in microseconds, is checked before its next use. Calls in
/// quick succession need no check: no server is replaced in so short a time.
const IDLE_US: u64 = 500;

impl Wait<'_> {
    /// The length of silence after which a probe is sent for this caller: early enough for an
    /// answer in time.
    pub(super) fn probe_after(&self) -> Duration {
        let after = Duration::from_millis(limits::PING_AFTER_MS);
        self.limit().map_or(after, |limit| after.min(limit / 2))
    }
}

impl Link {
    /// Whether calls can be made: the connection belongs to this process (not to the parent it was
    /// forked from) and its server seems to be alive. Records `now` as a use.
    #[doc(hidden)]
    pub fn is_usable(&self, now: Instant) -> bool {
        let is_closed = !self.is_here() || self.is_lost.load(Ordering::Acquire);
        // Callers that wait on a silent connection go on waiting; their answers may still arrive.
        if is_closed || self.is_written_here() || self.is_silent(now) {
            return false;
        }
        let now_us = now.saturating_duration_since(self.opened).as_micros() as u64;
        let used_us = self.used_us.swap(now_us, Ordering::Relaxed);
        let is_in_use = now_us.saturating_sub(used_us) <= IDLE_US && !self.is_ending();
        if is_in_use || self.is_connected() {
            return true;
        }
        self.lose(Lost::Closed);
        false
    }

    /// Checks whether the server has closed the connection while no caller was reading, and whether
    /// this process has closed the descriptor, so that its number may be in use for something else.
    fn is_connected(&self) -> bool {
        if !self.socket.is_intact() {
            return false;
        }
        self.hear_out();
        !self.is_lost.load(Ordering::Acquire) && !self.is_over()
    }

    /// Sends a probe, unless one was sent since this caller's silence began at `heard`.
    pub(super) fn probe_if_due(
        &self,
        heard: Instant,
        wait: &Wait<'_>,
    ) -> Result<(), std::io::ErrorKind> {
        if !self.probe.is_due(heard, wait.probe_after()) {
            return Ok(());
        }
        let mut state = lock(&self.state);
        // The writing caller detects a silent server itself, and no frame can follow a half-written
        // one.
        if state.writing {
            return Ok(());
        }
        let ping = state.session.ping();
        state.session.forget(ping);
        self.probe.ask();
        self.send(&mut state.session.outbox)
    }

    /// Whether a probe has been unanswered for longer than calls wait.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        if !self.probe.is_overdue(now) {
            return false;
        }
        // The answer may have arrived since the last caller gave up.
        self.hear_out();
        self.probe.unanswered().is_some()
    }
}

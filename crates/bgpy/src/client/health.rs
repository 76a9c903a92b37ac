//! Whether a connection can be used: it is open, belongs to this process, and its server gives signs of life.

use std::mem::MaybeUninit;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bgpy_proto::limits;

use super::link::Link;
use crate::error::Lost;
use crate::platform;
use crate::sync::{lock, try_lock};
use crate::wait::Wait;

/// After this long without a call, in microseconds, a connection is looked at before it is used
/// again. Calls in a row need no look, and no server is replaced in so short a time.
const IDLE_US: u64 = 500;

impl Wait<'_> {
    /// After how much silence this caller wants to know whether the server is there: early enough for
    /// an answer.
    pub(super) fn probe_after(&self) -> Duration {
        let after = Duration::from_millis(limits::PING_AFTER_MS);
        self.limit().map_or(after, |limit| after.min(limit / 2))
    }
}

impl Link {
    /// Whether calls can be made: it belongs to this process (and not to the parent it was forked
    /// from) and, as far as one can tell, to a server that lives. `now` counts as a use.
    pub fn is_usable(&self, now: Instant) -> bool {
        let is_closed = !self.is_here() || self.is_lost.load(Ordering::Acquire);
        // Those who wait on a silent one go on waiting; its answers may still come.
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

    /// Looks whether the server has closed the connection while nobody was reading, and whether somebody
    /// in this process has, in which case its descriptor may be another one's.
    fn is_connected(&self) -> bool {
        if !self.socket.is_intact() {
            return false;
        }
        let Some(_reading) = try_lock(&self.reading) else { return true };
        match platform::wait(&self.socket, true, false, Duration::ZERO) {
            Ok(ready) if ready.readable => {
                !matches!(self.socket.peek(&mut [MaybeUninit::uninit()]), Ok(0) | Err(_))
            }
            _ => true,
        }
    }

    /// Asks for a sign of life, unless that was done for as long as this caller's silence lasts, which
    /// began at `heard`.
    pub(super) fn probe_if_due(
        &self,
        heard: Instant,
        wait: &Wait<'_>,
    ) -> Result<(), std::io::ErrorKind> {
        if !self.probe.is_due(heard, wait.probe_after()) {
            return Ok(());
        }
        let mut state = lock(&self.state);
        // A caller that is writing notices a silent server itself.
        if state.writing {
            return Ok(());
        }
        let ping = state.session.ping();
        state.session.forget(ping);
        self.probe.ask();
        self.send(&mut state.session.outbox)
    }

    /// Whether the server has left a question unanswered for longer than calls wait.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        if !self.probe.is_overdue(now) {
            return false;
        }
        // The answer may have come since the last caller gave up. Whoever reads now sees it by itself.
        if let Some(mut reading) = try_lock(&self.reading)
            && platform::wait(&self.socket, true, false, Duration::ZERO)
                .is_ok_and(|ready| ready.readable)
            && self.read(&mut reading).is_ok()
        {
            let state = lock(&self.state);
            drop(reading);
            self.wake_sleepers(&state);
        }
        self.probe.unanswered().is_some()
    }
}

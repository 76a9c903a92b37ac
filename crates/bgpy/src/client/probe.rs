//! Probes a silent server, which answers even while a task runs.
//!
//! Networks drop connections and machines go to sleep without notice to either side. A waiting call
//! sends a probe after a while; calls that start while it is unanswered use another connection.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bgpy_proto::limits;

use crate::clock;

/// How long a probe may be unanswered before the next call abandons the connection.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// The minimum, however short the timeouts of calls are: a busy machine is not dead.
const ANSWER_TIMEOUT_MIN: Duration = Duration::from_millis(25);

/// The last probe of a connection.
#[derive(Debug)]
pub(super) struct Probe {
    opened: Instant,
    /// Microseconds from `opened`.
    asked_us: AtomicU64,
    is_unanswered: AtomicBool,
    /// Whether a call has timed out since the probe was sent.
    is_given_up: AtomicBool,
}

/// The state of a server that has sent nothing for a slice of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// No probe was sent.
    NotAsked,
    /// A probe was sent and may still be answered.
    Asked,
    /// A probe was not answered in time. The server has been silent for this long in all.
    Over(Duration),
}

impl Probe {
    pub(super) fn new(opened: Instant) -> Self {
        let (asked_us, is_unanswered) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { opened, asked_us, is_unanswered, is_given_up: AtomicBool::new(false) }
    }

    /// When the unanswered probe was sent, if there is one.
    pub(super) fn unanswered(&self) -> Option<Instant> {
        self.is_unanswered.load(Ordering::Relaxed).then(|| self.asked())
    }

    /// Notes that the server has sent something.
    pub(super) fn answered(&self) {
        // Usually no probe is pending: a load is cheaper than a store.
        if self.is_unanswered.load(Ordering::Relaxed) {
            self.is_unanswered.store(false, Ordering::Relaxed);
            self.is_given_up.store(false, Ordering::Relaxed);
        }
    }

    /// Notes that a call has timed out.
    pub(super) fn give_up(&self) {
        if self.unanswered().is_some_and(|asked| clock::since(asked) >= ANSWER_TIMEOUT_MIN) {
            self.is_given_up.store(true, Ordering::Relaxed);
        }
    }

    /// What the silence means by now.
    pub(super) fn silence(&self) -> Silence {
        let silence = Duration::from_millis(limits::SILENCE_MS);
        let answer = silence - Duration::from_millis(limits::PING_AFTER_MS);
        match self.unanswered() {
            Some(asked) if clock::since(asked) > answer => Silence::Over(silence),
            Some(_) => Silence::Asked,
            None => Silence::NotAsked,
        }
    }

    /// Whether a probe is due for a caller that wants one `after` so much silence, which began when
    /// the server was last `heard`.
    pub(super) fn is_due(&self, heard: Instant, after: Duration) -> bool {
        self.unanswered().is_none() && clock::since(heard.max(self.asked())) >= after
    }

    /// Whether a probe has been unanswered for longer than calls that start now would wait.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.unanswered().is_some_and(|asked| {
            self.is_given_up.load(Ordering::Relaxed)
                || now.saturating_duration_since(asked) >= ANSWER_TIMEOUT
        })
    }

    fn asked(&self) -> Instant {
        self.opened + Duration::from_micros(self.asked_us.load(Ordering::Relaxed))
    }

    /// Notes that a probe is sent now.
    pub(super) fn ask(&self) {
        let asked_us = clock::since(self.opened).as_micros() as u64;
        self.asked_us.store(asked_us, Ordering::Relaxed);
        self.is_unanswered.store(true, Ordering::Relaxed);
    }
}

/// How long nothing has moved in either direction since a writing caller last saw progress at
/// `moved`; `None` if that is not too long. A writer cannot probe, since no frame can follow a
/// half-written one.
pub(super) fn stands_still(moved: Instant) -> Option<Duration> {
    let silence = Duration::from_millis(limits::SILENCE_MS);
    (clock::since(moved) > silence).then_some(silence)
}

//! Whether a server that says nothing is still there: it is asked for a sign of life, which it gives
//! also while a task runs.
//!
//! Networks forget connections, machines go to sleep, and neither side is told. A call that is waiting
//! asks after a while; whoever calls next while that is unanswered takes another connection.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bgpy_proto::limits;

use crate::clock;

/// How long a server may leave a question unanswered before the next call does without the connection.
const PATIENCE: Duration = Duration::from_secs(3);

/// And how long at least, however little time calls have: a machine that is busy is not dead.
const PATIENCE_LEAST: Duration = Duration::from_millis(25);

/// The last question of a connection.
#[derive(Debug)]
pub(super) struct Probe {
    opened: Instant,
    /// Microseconds from `opened`.
    asked_us: AtomicU64,
    is_unanswered: AtomicBool,
    /// Whether a call has ended meanwhile because its time was over.
    is_given_up: AtomicBool,
}

/// How it stands with a server that has said nothing for a slice of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// It was not asked for a sign of life.
    NotAsked,
    /// It was, and may still answer.
    Asked,
    /// It was, and has not answered for too long. It has been silent for so long in all.
    Over(Duration),
}

impl Probe {
    pub(super) fn new(opened: Instant) -> Self {
        let (asked_us, is_unanswered) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { opened, asked_us, is_unanswered, is_given_up: AtomicBool::new(false) }
    }

    /// When an answer was last asked for that has not come.
    pub(super) fn unanswered(&self) -> Option<Instant> {
        self.is_unanswered.load(Ordering::Relaxed).then(|| self.asked())
    }

    /// Notes that the server has said something.
    pub(super) fn answered(&self) {
        // Most of what it says was not asked for.
        if self.is_unanswered.load(Ordering::Relaxed) {
            self.is_unanswered.store(false, Ordering::Relaxed);
            self.is_given_up.store(false, Ordering::Relaxed);
        }
    }

    /// Notes that the time of a call is over.
    pub(super) fn give_up(&self) {
        if self.unanswered().is_some_and(|asked| clock::since(asked) >= PATIENCE_LEAST) {
            self.is_given_up.store(true, Ordering::Relaxed);
        }
    }

    /// What a silence means by now.
    pub(super) fn silence(&self) -> Silence {
        let silence = Duration::from_millis(limits::SILENCE_MS);
        let answer = silence - Duration::from_millis(limits::PING_AFTER_MS);
        match self.unanswered() {
            Some(asked) if clock::since(asked) > answer => Silence::Over(silence),
            Some(_) => Silence::Asked,
            None => Silence::NotAsked,
        }
    }

    /// Whether it is time to ask, for a caller who wants to know after so much silence, which began when it
    /// last `heard` something.
    pub(super) fn is_due(&self, heard: Instant, after: Duration) -> bool {
        self.unanswered().is_none() && clock::since(heard.max(self.asked())) >= after
    }

    /// Whether an answer is due for longer than calls that begin now wait for it.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.unanswered().is_some_and(|asked| {
            self.is_given_up.load(Ordering::Relaxed)
                || now.saturating_duration_since(asked) >= PATIENCE
        })
    }

    fn asked(&self) -> Instant {
        self.opened + Duration::from_micros(self.asked_us.load(Ordering::Relaxed))
    }

    /// Notes that an answer is asked for now.
    pub(super) fn ask(&self) {
        let asked_us = clock::since(self.opened).as_micros() as u64;
        self.asked_us.store(asked_us, Ordering::Relaxed);
        self.is_unanswered.store(true, Ordering::Relaxed);
    }
}

/// For how long nothing has moved, either way, since a moment at which a caller who writes saw something move; none
/// if that is not too long. Whoever writes cannot ask, since nothing can follow half a message.
pub(super) fn stands_still(moved: Instant) -> Option<Duration> {
    let silence = Duration::from_millis(limits::SILENCE_MS);
    (clock::since(moved) > silence).then_some(silence)
}

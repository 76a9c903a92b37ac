//! The clock by which is decided who waits, for how long, and who is given up.
//!
//! Where a rule can be played in the [simulation](crate::simulation), it asks here what time it is, and not the
//! system. A thread that simulates has a clock of its own, which goes as far as it is told.

use std::time::{Duration, Instant};

/// What time it is.
#[cfg(not(test))]
#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// What time it is.
#[cfg(test)]
pub(crate) fn now() -> Instant {
    simulated::now().unwrap_or_else(Instant::now)
}

/// How long ago a moment was.
#[inline]
pub(crate) fn since(moment: Instant) -> Duration {
    now().saturating_duration_since(moment)
}

#[cfg(test)]
pub(crate) mod simulated {
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    /// To look at the clock takes a moment as well, so that whoever waits for a moment by looking sees it pass.
    const LOOK: Duration = Duration::from_micros(5);

    thread_local! {
        static TIME: Cell<Option<Instant>> = const { Cell::new(None) };
    }

    pub(super) fn now() -> Option<Instant> {
        let now = TIME.get()? + LOOK;
        TIME.set(Some(now));
        Some(now)
    }

    /// Has this thread's clock stand at a moment; none lets it go as everybody's does.
    pub(crate) fn set(moment: Option<Instant>) {
        TIME.set(moment);
    }

    /// What time it is, without taking any.
    pub(crate) fn peek() -> Instant {
        TIME.get().expect("this thread simulates")
    }
}

//! The clock for all decisions about waiting and timeouts.
//!
//! Rules that the [simulation](crate::simulation) covers read the time here, and not from the
//! system. A simulating thread has a clock of its own that it sets itself.

use std::time::{Duration, Instant};

/// The current time.
#[cfg(not(test))]
#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The current time.
#[cfg(test)]
pub(crate) fn now() -> Instant {
    simulated::now().unwrap_or_else(Instant::now)
}

/// The time of the day, in milliseconds since 1970 UTC, for people: rules about time do not use it.
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// The time since `moment`.
#[inline]
pub(crate) fn since(moment: Instant) -> Duration {
    now().saturating_duration_since(moment)
}

#[cfg(test)]
pub(crate) mod simulated {
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    /// Reading the clock takes time as well, so that a thread that spins on it sees time pass.
    const LOOK: Duration = Duration::from_micros(5);

    thread_local! {
        static TIME: Cell<Option<Instant>> = const { Cell::new(None) };
    }

    pub(super) fn now() -> Option<Instant> {
        let now = TIME.get()? + LOOK;
        TIME.set(Some(now));
        Some(now)
    }

    /// Stops this thread's clock at a moment; `None` returns to the system's clock.
    pub(crate) fn set(moment: Option<Instant>) {
        TIME.set(moment);
    }

    /// The current time, without taking any.
    pub(crate) fn peek() -> Instant {
        TIME.get().expect("this thread simulates")
    }
}

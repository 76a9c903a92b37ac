//! Holds unauthenticated connections back in favour of calls: otherwise a flood of them, which is
//! as fast as the server accepts, would leave no time for calls.

use std::time::{Duration, Instant};

/// How long unauthenticated connections are held back after one that ended without a proof, which
/// takes about 50 µs. A flood then waits for the server and no longer takes the CPU from its
/// callers. Each turn of strangers delays a call or two, and wakes a flood that delays others: there
/// are so few of them that fewer than a hundredth of the calls meet one.
const REST: Duration = Duration::from_micros(3000);

/// For each so many connections that wait, one more is served between two pauses: the
/// last in the queue then waits for about 32 pauses, whatever its length.
const QUEUE_SHARE: usize = 32;

/// How long unauthenticated connections wait at most for calls that arrived before them.
const DEFERENCE: Duration = Duration::from_millis(1);

/// How long after a call another one is expected. Without recent calls nothing is held back.
const LATELY: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// Connections that ended without a proof since the last pause.
    in_vain: usize,
    until: Option<Instant>,
    /// Until when calls come first.
    defers_until: Option<Instant>,
    /// The number of calls, and when it was last found to have grown.
    calls: u64,
    called: Option<Instant>,
}

impl Throttle {
    /// Notes that a connection ended without a proof.
    pub(crate) fn in_vain(&mut self) {
        self.in_vain += 1;
    }

    /// How long unauthenticated connections are still held back.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// Whether unauthenticated connections have no turn, because of a pause or because a call can
    /// run.
    pub(crate) fn holds_back(&mut self, has_work: bool, now: Instant) -> bool {
        self.until.take_if(|until| *until <= now);
        if self.until.is_some() {
            return true;
        }
        if !has_work {
            self.defers_until = None;
            return false;
        }
        let is_over = *self.defers_until.get_or_insert(now + DEFERENCE) <= now;
        self.defers_until.take_if(|_| is_over);
        !is_over
    }

    /// Starts a pause if enough connections ended without a proof while calls arrive; `calls` is
    /// their number so far, and `waiting` the number of connections that wait to be accepted or read.
    pub(crate) fn begin_if_due(
        &mut self,
        calls: u64,
        now: Instant,
        waiting: impl FnOnce() -> usize,
    ) {
        if self.in_vain == 0 {
            return;
        }
        if std::mem::replace(&mut self.calls, calls) != calls {
            self.called = Some(now);
        }
        let is_called = self.called.is_some_and(|called| now < called + LATELY);
        if !is_called {
            self.in_vain = 0;
            return;
        }
        let waiting = waiting();
        if self.in_vain > waiting / QUEUE_SHARE {
            self.in_vain = 0;
            self.until = Some(now + REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_hold_back_for_a_call_but_not_for_ever() {
        let (mut rest, now) = (Throttle::default(), Instant::now());
        assert!(!rest.holds_back(false, now));
        for moment in [now, now + DEFERENCE / 2] {
            assert!(rest.holds_back(true, moment));
        }
        assert!(!rest.holds_back(true, now + DEFERENCE));
        // They have had their turn.
        assert!(rest.holds_back(true, now + DEFERENCE));
        assert!(!rest.holds_back(false, now + DEFERENCE));
    }

    #[test]
    fn strangers_rest_when_some_came_for_nothing_and_somebody_calls() {
        let (mut rest, now) = (Throttle::default(), Instant::now());
        let mut come = |count, calls, now, waiting| {
            (0..count).for_each(|_| rest.in_vain());
            rest.begin_if_due(calls, now, || waiting);
            let left = rest.left(now);
            assert_eq!(rest.holds_back(false, now), !left.is_zero());
            assert!(!rest.holds_back(false, now + left));
            left
        };
        assert_eq!(come(1, 0, now, 0), Duration::ZERO, "no calls");
        assert_eq!(come(0, 1, now, 0), Duration::ZERO, "they may be clients");
        assert_eq!(come(1, 1, now, 0), REST);
        assert_eq!(come(1, 1, now + LATELY / 2, QUEUE_SHARE - 1), REST);
        assert_eq!(come(1, 1, now + LATELY, 0), Duration::ZERO, "no more calls");
        assert_eq!(come(1, 2, now + LATELY, QUEUE_SHARE - 1), REST);
        assert_eq!(come(3, 3, now, 3 * QUEUE_SHARE), Duration::ZERO, "newcomers would wait");
        assert_eq!(come(1, 4, now, 3 * QUEUE_SHARE), REST);
    }
}

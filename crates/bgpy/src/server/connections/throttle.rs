//! Holds unauthenticated connections back in favour of calls: otherwise a flood of them, which is
//! as fast as the server accepts, would leave no time for calls.

use std::time::{Duration, Instant};

/// For each so many connections that wait, one more is served between two pauses: the
/// last in the queue then waits for about 32 pauses, whatever its length.
const QUEUE_SHARE: usize = 32;

/// How long the last in the queue waits, about. Most of it are pauses, about 3 ms each unless the queue
/// is long, after connections that ended without a proof. A flood then waits for the server and no
/// longer takes the CPU from its callers. Each turn of strangers delays a call or two, and wakes a
/// flood that delays others: there are so few of them that fewer than a hundredth of the calls meet one.
const PATIENCE: Duration = Duration::from_millis(105);

/// What one that ends without a proof takes, about.
const COST: Duration = Duration::from_micros(35);

/// The shortest pause.
const REST_LEAST: Duration = Duration::from_micros(300);

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
            self.until = Some(now + rest(waiting));
        }
    }
}

/// How long the pause is if so many connections wait.
fn rest(waiting: usize) -> Duration {
    let work = COST.saturating_mul(u32::try_from(waiting).unwrap_or(u32::MAX));
    (PATIENCE.saturating_sub(work) / QUEUE_SHARE as u32).max(REST_LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_hold_back_for_a_call_but_not_for_ever() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        assert!(!throttle.holds_back(false, now));
        for moment in [now, now + DEFERENCE / 2] {
            assert!(throttle.holds_back(true, moment));
        }
        assert!(!throttle.holds_back(true, now + DEFERENCE));
        // They have had their turn.
        assert!(throttle.holds_back(true, now + DEFERENCE));
        assert!(!throttle.holds_back(false, now + DEFERENCE));
    }

    #[test]
    fn the_longer_the_queue_the_shorter_the_pauses() {
        assert_eq!(rest(0), PATIENCE / QUEUE_SHARE as u32);
        assert!((1..4000).all(|waiting| rest(waiting) <= rest(waiting - 1)));
        assert_eq!(rest(4000), REST_LEAST);
        assert_eq!(rest(usize::MAX), REST_LEAST);
    }

    #[test]
    fn strangers_rest_when_some_came_for_nothing_and_somebody_calls() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let mut come = |count, calls, now, waiting| {
            (0..count).for_each(|_| throttle.in_vain());
            throttle.begin_if_due(calls, now, || waiting);
            let left = throttle.left(now);
            assert_eq!(throttle.holds_back(false, now), !left.is_zero());
            assert!(!throttle.holds_back(false, now + left));
            left
        };
        assert_eq!(come(1, 0, now, 0), Duration::ZERO, "no calls");
        assert_eq!(come(0, 1, now, 0), Duration::ZERO, "they may be clients");
        assert_eq!(come(1, 1, now, 0), rest(0));
        assert_eq!(come(1, 1, now + LATELY / 2, QUEUE_SHARE - 1), rest(QUEUE_SHARE - 1));
        assert_eq!(come(1, 1, now + LATELY, 0), Duration::ZERO, "no more calls");
        assert_eq!(come(1, 2, now + LATELY, QUEUE_SHARE - 1), rest(QUEUE_SHARE - 1));
        assert_eq!(come(3, 3, now, 3 * QUEUE_SHARE), Duration::ZERO, "newcomers would wait");
        assert_eq!(come(1, 4, now, 3 * QUEUE_SHARE), rest(3 * QUEUE_SHARE));
    }
}

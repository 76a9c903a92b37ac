//! Holds unauthenticated connections back in favour of calls: otherwise a flood of them, which is
//! as fast as the server accepts, would leave no time for calls.

use std::time::{Duration, Instant};

/// How long the last in the queue waits, about. Most of it are pauses after connections that ended
/// without a proof. A flood then waits for the server and no longer takes the CPU from its callers.
const PATIENCE: Duration = Duration::from_millis(85);

/// The longest queue that is served in a few turns, with pauses between them: a turn delays calls,
/// and so few that fewer than a hundredth of them meet one. A longer queue takes most of the time, so
/// its connections come one by one and each delays a call by little.
const SHORT: usize = 64;

/// How many turns a short queue takes.
const TURNS: usize = 10;

/// What one that ends without a proof takes, about.
const COST: Duration = Duration::from_micros(42);

/// A shorter pause is not slept through, because the poller would round it up to a millisecond.
const SLEEP_LEAST: Duration = Duration::from_micros(500);

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

    /// How long to sleep until unauthenticated connections have their turn.
    pub(crate) fn sleep(&self, now: Instant) -> Duration {
        let left = self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        if left < SLEEP_LEAST { Duration::ZERO } else { left }
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
        let (turn, pause) = pace(waiting());
        if self.in_vain >= turn {
            self.in_vain = 0;
            self.until = Some(now + pause);
        }
    }
}

/// How many connections end without a proof between two pauses, and how long a pause is, if so many
/// wait.
fn pace(waiting: usize) -> (usize, Duration) {
    if waiting <= SHORT {
        return (waiting / TURNS + 1, PATIENCE / TURNS as u32);
    }
    let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
    (1, PATIENCE.saturating_sub(COST.saturating_mul(waiting)) / waiting)
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
        assert!((1..5000).all(|waiting| pace(waiting).1 <= pace(waiting - 1).1));
        assert_eq!(pace(usize::MAX), (1, Duration::ZERO));
    }

    #[test]
    fn the_last_in_the_queue_does_not_lose_its_patience() {
        for waiting in 0..PATIENCE.div_duration_f64(COST) as usize {
            let (turn, pause) = pace(waiting);
            let pauses = u32::try_from(waiting / turn).unwrap();
            assert!(pause * pauses <= PATIENCE, "{waiting}");
        }
    }

    #[test]
    fn strangers_rest_when_some_came_for_nothing_and_somebody_calls() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let mut come = |count, calls, now, waiting| {
            (0..count).for_each(|_| throttle.in_vain());
            throttle.begin_if_due(calls, now, || waiting);
            let left = throttle.until.map_or(Duration::ZERO, |until| until - now);
            assert_eq!(throttle.holds_back(false, now), !left.is_zero());
            assert_eq!(throttle.sleep(now), if left < SLEEP_LEAST { Duration::ZERO } else { left });
            assert!(!throttle.holds_back(false, now + left));
            left
        };
        let pause = pace(0).1;
        assert_eq!(come(1, 0, now, 0), Duration::ZERO, "no calls");
        assert_eq!(come(0, 1, now, 0), Duration::ZERO, "they may be clients");
        assert_eq!(come(1, 1, now, 0), pause);
        assert_eq!(come(1, 1, now + LATELY / 2, TURNS - 1), pause);
        assert_eq!(come(1, 1, now + LATELY, 0), Duration::ZERO, "no more calls");
        assert_eq!(come(1, 2, now + LATELY, TURNS - 1), pause);
        assert_eq!(come(3, 3, now, 3 * TURNS), Duration::ZERO, "newcomers would wait");
        assert_eq!(come(1, 4, now, 3 * TURNS), pause);
        for waiting in [SHORT + 1, 500] {
            assert_eq!(come(1, 5, now, waiting), pace(waiting).1, "one by one");
        }
    }
}

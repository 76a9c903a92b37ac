//! When strangers wait so that calls get on: what a flood of them keeps busy, no call gets, and it comes as
//! fast as it is seen to.

use std::time::{Duration, Instant};

/// LogLimiter that have come for nothing before the others rest. Seeing to one takes about 30 µs.
const IN_VAIN: u32 = 4;

/// How long they rest. Whoever floods a server with connections waits for it, and no longer takes all of the
/// processors from those who call.
pub(super) const REST: Duration = Duration::from_micros(900);

/// How long strangers wait at most for calls that have come before them.
const DEFERENCE: Duration = Duration::from_millis(1);

/// How long after a call there may be another one. Where nobody calls, nobody has to wait.
const LATELY: Duration = Duration::from_millis(50);

/// Connections that wait to be accepted when nobody rests any more: with rests it would be 50 ms until the last
/// of them has its turn.
const CROWD: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Throttle {
    /// LogLimiter that have gone without a proof since the last rest.
    in_vain: u32,
    until: Option<Instant>,
    /// Until when calls come first.
    defers_until: Option<Instant>,
    /// How many calls there were, and when that was last found to be more than before.
    calls: u64,
    called: Option<Instant>,
}

impl Throttle {
    /// Notes that a stranger has gone without a proof.
    pub(super) fn in_vain(&mut self) {
        self.in_vain += 1;
    }

    /// How long strangers still rest.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// Whether strangers have no turn, because they rest, or because there is a call to run.
    pub(super) fn holds_back(&mut self, has_work: bool, now: Instant) -> bool {
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

    /// Has strangers rest when enough of them have come for nothing, and somebody calls; there were so
    /// many calls until now. Where so many connections wait to be accepted that a newcomer would wait long
    /// behind them, nobody rests.
    pub(super) fn begin_if_due(
        &mut self,
        calls: u64,
        now: Instant,
        waiting: impl FnOnce() -> usize,
    ) {
        if self.in_vain < IN_VAIN {
            return;
        }
        self.in_vain = 0;
        if std::mem::replace(&mut self.calls, calls) != calls {
            self.called = Some(now);
        }
        let is_called = self.called.is_some_and(|called| now < called + LATELY);
        self.until = (is_called && waiting() < CROWD).then(|| now + REST);
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
        let waiting = std::cell::Cell::new(0);
        let mut come = |count, calls, now| {
            (0..count).for_each(|_| rest.in_vain());
            rest.begin_if_due(calls, now, || waiting.get());
            let left = rest.left(now);
            assert_eq!(rest.holds_back(false, now), !left.is_zero());
            assert!(!rest.holds_back(false, now + left));
            left
        };
        assert_eq!(come(IN_VAIN, 0, now), Duration::ZERO, "nobody calls");
        assert_eq!(come(IN_VAIN - 1, 1, now), Duration::ZERO, "they may be clients");
        assert_eq!(come(1, 1, now), REST);
        assert_eq!(come(IN_VAIN, 1, now + LATELY / 2), REST);
        assert_eq!(come(IN_VAIN, 1, now + LATELY), Duration::ZERO, "nobody calls any more");
        assert_eq!(come(IN_VAIN, 2, now + LATELY), REST);
        waiting.set(CROWD);
        assert_eq!(come(IN_VAIN, 3, now + LATELY), Duration::ZERO, "newcomers would wait");
    }
}

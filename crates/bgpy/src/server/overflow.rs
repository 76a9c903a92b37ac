//! Those who come when the server's process has no descriptors left: they are let in by a door that is kept for
//! them, may ask how the server is, read its log and end it, and are told why their calls are not taken. They
//! do not stay, so that those behind them are told as well.

use std::time::{Duration, Instant};

/// How long one may say nothing when others want to come: the first message comes at once, also from the other
/// side of the globe.
const SILENCE: Duration = Duration::from_millis(250);

/// How long one may stay then at all: time to shake hands and to ask.
const STAY: Duration = Duration::from_secs(1);

/// One of them.
#[derive(Debug)]
struct OverflowConnection {
    token: usize,
    since: Instant,
}

/// In the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Overflow(Vec<OverflowConnection>);

impl Overflow {
    pub(super) fn add(&mut self, token: usize, now: Instant) {
        self.0.push(OverflowConnection { token, since: now });
    }

    /// Forgets one that is gone; `false` when it was none.
    pub(super) fn remove(&mut self, token: usize) -> bool {
        let before = self.0.len();
        self.0.retain(|guest| guest.token != token);
        self.0.len() < before
    }

    pub(super) fn contains(&self, token: usize) -> bool {
        self.0.iter().any(|guest| guest.token == token)
    }

    /// Those that may make room, given which of them have said nothing.
    pub(super) fn overdue(&self, is_silent: impl Fn(usize) -> bool, now: Instant) -> Vec<usize> {
        let stay = |token| if is_silent(token) { SILENCE } else { STAY };
        let goes = |guest: &&OverflowConnection| guest.since + stay(guest.token) <= now;
        self.0.iter().filter(goes).map(|guest| guest.token).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_first_makes_room_and_who_says_nothing_before() {
        let (mut overflow, now) = (Overflow::default(), Instant::now());
        let later = now + STAY / 2;
        overflow.add(3, now);
        overflow.add(4, later);
        assert!(overflow.overdue(|_| false, later).is_empty());
        assert_eq!(overflow.overdue(|_| true, now + SILENCE), [3]);
        assert_eq!(overflow.overdue(|token| token == 4, later + SILENCE), [4]);
        assert_eq!(overflow.overdue(|_| false, later + STAY), [3, 4]);
        assert!(overflow.contains(3) && overflow.remove(3) && !overflow.remove(3));
        assert_eq!(overflow.overdue(|_| false, later + STAY), [4]);
    }
}

//! Connections accepted when the process is out of descriptors, with descriptors reserved for them.
//! Their clients may ask for the status, read the log and end the server, and their calls are
//! refused with the reason. They are evicted soon, so that the next ones get the reason too.

use std::time::{Duration, Instant};

/// How long a connection may be silent when others wait: even from the other side of the globe the
/// first message arrives sooner.
const SILENCE: Duration = Duration::from_millis(250);

/// How long a connection may stay at most when others wait: enough for a handshake and a request.
const STAY: Duration = Duration::from_secs(1);

/// One such connection.
#[derive(Debug)]
struct OverflowConnection {
    token: usize,
    since: Instant,
}

/// In order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Overflow(Vec<OverflowConnection>);

impl Overflow {
    pub(crate) fn add(&mut self, token: usize, now: Instant) {
        self.0.push(OverflowConnection { token, since: now });
    }

    /// Removes a closed connection; `false` if it was not an overflow connection.
    pub(crate) fn remove(&mut self, token: usize) -> bool {
        let before = self.0.len();
        self.0.retain(|it| it.token != token);
        self.0.len() < before
    }

    pub(crate) fn contains(&self, token: usize) -> bool {
        self.0.iter().any(|it| it.token == token)
    }

    /// The connections that may be evicted, given which of them are silent.
    pub(crate) fn overdue(&self, is_silent: impl Fn(usize) -> bool, now: Instant) -> Vec<usize> {
        let stay = |token| if is_silent(token) { SILENCE } else { STAY };
        let is_due = |it: &&OverflowConnection| it.since + stay(it.token) <= now;
        self.0.iter().filter(is_due).map(|it| it.token).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silent_connections_are_evicted_sooner_than_others() {
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

//! Connections that have not finished their handshake: until when they may, and which of them makes
//! room when there are too many.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bgpy_proto::limits;

use super::core::Core;
use super::strangers::Kind;

/// Tokens of connections, with the time until which each must have shaken hands. Tokens count up,
/// so that the first is the oldest.
type Crowd = BTreeMap<usize, Instant>;

/// Those that have said nothing that counts are kept apart from those whose first message was
/// answered. The larger crowd makes room: neither silence nor a recorded message, sent again and
/// again, can push out a client that is about to prove the token.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    silent: Crowd,
    answered: Crowd,
}

impl Handshakes {
    /// Notes a connection that was accepted at `now`.
    pub(super) fn add(&mut self, token: usize, now: Instant) {
        self.silent.insert(token, now + Duration::from_millis(limits::HANDSHAKE_MS));
    }

    /// Notes that the first message of a connection was answered.
    pub(super) fn answered(&mut self, token: usize) {
        self.answered.extend(self.silent.remove_entry(&token));
    }

    /// Forgets a connection that has finished its handshake, or is gone.
    pub(super) fn remove(&mut self, token: usize) {
        self.silent.remove(&token);
        self.answered.remove(&token);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.silent.is_empty() && self.answered.is_empty()
    }

    /// Whether one more is only taken in exchange for another.
    pub(super) fn is_full(&self) -> bool {
        self.silent.len() + self.answered.len() >= limits::HANDSHAKES_MAX
    }

    /// The one that makes room.
    pub(super) fn first_to_go(&self) -> Option<usize> {
        let larger =
            if self.silent.len() >= self.answered.len() { &self.silent } else { &self.answered };
        larger.first_key_value().map(|(token, _)| *token)
    }

    /// One whose time is over.
    pub(super) fn overdue(&self, now: Instant) -> Option<usize> {
        self.oldest().find(|(_, until)| **until <= now).map(|(token, _)| *token)
    }

    /// When the next one's time is over.
    pub(super) fn soonest(&self) -> Option<Instant> {
        self.oldest().map(|(_, until)| *until).min()
    }

    fn oldest(&self) -> impl Iterator<Item = (&usize, &Instant)> {
        [&self.silent, &self.answered].into_iter().filter_map(Crowd::first_key_value)
    }
}

impl Core {
    pub(super) fn evict_handshake(&mut self) {
        if let Some(token) = self.handshakes.first_to_go() {
            let peer = self.connections.get(&token).map_or("", |connection| &connection.peer);
            let what = format!(
                "connection from {peer} closed: others want its place, and it has not finished its \
                 handshake"
            );
            self.note(Kind::Evicted, &what);
            self.close(token, "too many connections without a handshake");
        }
    }

    pub(super) fn expire_handshakes(&mut self, now: Instant) {
        while let Some(token) = self.handshakes.overdue(now) {
            self.close(token, "no handshake in time");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(silent: usize, answered: usize, now: Instant) -> Handshakes {
        let mut handshakes = Handshakes::default();
        for token in 0..silent + answered {
            handshakes.add(token, now);
        }
        for token in silent..silent + answered {
            handshakes.answered(token);
        }
        handshakes
    }

    #[test]
    fn the_oldest_of_the_larger_crowd_makes_room() {
        let now = Instant::now();
        assert_eq!(crowd(0, 0, now).first_to_go(), None);
        assert_eq!(crowd(2, 1, now).first_to_go(), Some(0));
        assert_eq!(crowd(1, 2, now).first_to_go(), Some(1));
        let mut both = crowd(limits::HANDSHAKES_MAX / 2, limits::HANDSHAKES_MAX / 2, now);
        assert!(both.is_full());
        both.remove(0);
        assert!(!both.is_full());
        assert_eq!(both.first_to_go(), Some(limits::HANDSHAKES_MAX / 2));
    }

    #[test]
    fn time_counts_from_the_accept() {
        let now = Instant::now();
        let mut handshakes = crowd(1, 0, now);
        let later = now + Duration::from_secs(1);
        handshakes.add(1, later);
        handshakes.answered(0);
        let until = now + Duration::from_millis(limits::HANDSHAKE_MS);
        assert_eq!(handshakes.soonest(), Some(until));
        assert_eq!(handshakes.overdue(until - Duration::from_nanos(1)), None);
        assert_eq!(handshakes.overdue(until), Some(0));
        handshakes.remove(0);
        assert_eq!(handshakes.overdue(until), None);
        handshakes.remove(1);
        assert!(handshakes.is_empty());
    }
}

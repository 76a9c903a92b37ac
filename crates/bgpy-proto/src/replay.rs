//! First messages of clients that were answered.
//!
//! An attacker who has recorded one can send it again, and make a server compute keys for nothing.
//! So each is answered only once, as far as it is remembered; the key in it is new for each
//! connection of a client.

use std::collections::HashSet;

/// Number of messages after which older ones are forgotten.
const GENERATION: usize = 8192;

/// The first half of a client's ephemeral key.
type Mark = [u8; 16];

/// First messages that a server has answered: at least the last 8,192 of them, and those that are
/// repeated. Only messages made with the token are stored, so peers without it can displace none.
#[derive(Debug, Default)]
pub struct Replays {
    recent: HashSet<Mark>,
    before: HashSet<Mark>,
}

impl Replays {
    /// Whether a message was answered before.
    pub(crate) fn contains(&mut self, message: &[u8]) -> bool {
        let Some(mark) = message.first_chunk::<16>() else { return false };
        if self.before.contains(mark) {
            self.note(message);
        }
        self.recent.contains(mark)
    }

    /// Notes that a message is answered.
    pub(crate) fn note(&mut self, message: &[u8]) {
        let Some(mark) = message.first_chunk::<16>() else { return };
        if self.recent.len() >= GENERATION {
            self.before = std::mem::take(&mut self.recent);
        }
        self.recent.insert(*mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: usize) -> Vec<u8> {
        [number.to_le_bytes(), [7; 8], [0; 8]].concat()
    }

    #[test]
    fn the_last_ones_are_known_and_so_is_what_comes_again_and_again() {
        let mut replays = Replays::default();
        let knows = |replays: &Replays, number| {
            let mark = *message(number).first_chunk().expect("it is long enough");
            replays.recent.contains(&mark) || replays.before.contains(&mark)
        };
        for number in 0..10 * GENERATION {
            assert!(!replays.contains(&message(number)));
            replays.note(&message(number));
            assert!(replays.contains(&message(number)));
            assert!(replays.contains(&message(5)) == (number >= 5));
            assert!(knows(&replays, number.saturating_sub(GENERATION - 2)));
            assert!(replays.recent.len() + replays.before.len() <= 2 * GENERATION);
        }
        assert!(!replays.contains(&message(6)));
        assert!(!replays.contains(b"short"));
    }
}

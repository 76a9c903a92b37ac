//! What strangers bring about, told once and then counted: whoever reaches the port can do it over and
//! over, and a log that tells each time would hold nothing else.

use std::fmt;
use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

use bgpy_proto::ProtocolError;

use crate::log::Level;

/// How long events of a kind are counted before they are told.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A peer broke the protocol, in this way.
    Refused(Discriminant<ProtocolError>),
    /// A connection made room for others.
    Evicted,
    /// The system gave no connection, or did not let it be watched.
    NotAccepted,
    /// A connection has ended before it was a client's, for whatever reason.
    Left,
}

impl Kind {
    pub(super) fn refused(error: &ProtocolError) -> Self {
        Self::Refused(discriminant(error))
    }

    pub(super) fn level(self) -> Level {
        if self == Self::Left { Level::Debug } else { Level::Warning }
    }
}

/// Which kinds have been told, and how often each has happened since.
#[derive(Debug, Default)]
pub(super) struct LogLimiter {
    told: Vec<Told>,
}

#[derive(Debug)]
struct Told {
    kind: Kind,
    until: Instant,
    count: u64,
    /// What the last of them was.
    last: String,
}

impl LogLimiter {
    /// Notes an event, and returns whether it is to be told at once.
    pub(super) fn note(&mut self, kind: Kind, what: &dyn fmt::Display, now: Instant) -> bool {
        self.told.retain(|told| told.count > 0 || told.until > now);
        if let Some(told) = self.told.iter_mut().find(|told| told.kind == kind) {
            told.count += 1;
            told.last = what.to_string();
            return false;
        }
        self.told.push(Told { kind, until: now + WINDOW, count: 0, last: String::new() });
        true
    }

    /// When there is something to tell; none while nothing was counted.
    pub(super) fn due(&self) -> Option<Instant> {
        self.told.iter().filter(|told| told.count > 0).map(|told| told.until).min()
    }

    /// What was counted and is due by then, a line a kind. A kind that goes on is counted further.
    pub(super) fn tell(&mut self, until: Instant) -> Vec<(Level, String)> {
        let due = self.told.iter_mut().filter(|told| told.count > 0 && told.until <= until);
        due.map(|told| {
            let (count, last) = (std::mem::take(&mut told.count), std::mem::take(&mut told.last));
            told.until += WINDOW;
            let seconds = WINDOW.as_secs();
            let text = format!("{last} ({count} like this within {seconds} s, this is the last)");
            (told.kind.level(), text)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_line_a_minute() {
        let (mut strangers, start) = (LogLimiter::default(), Instant::now());
        let refused = Kind::refused(&ProtocolError::NotBgpy);
        let malformed = Kind::refused(&ProtocolError::Malformed("one"));
        assert_eq!(malformed, Kind::refused(&ProtocolError::Malformed("another")));
        assert!(strangers.note(refused, &"a", start), "the first at once");
        assert!(strangers.note(malformed, &"m", start), "another kind as well");
        assert_eq!(strangers.due(), None);
        for number in 0..1000 {
            assert!(!strangers.note(refused, &number, start + Duration::from_secs(1)));
        }
        assert_eq!(strangers.due(), Some(start + WINDOW));
        assert!(strangers.tell(start + WINDOW - Duration::from_nanos(1)).is_empty());
        let lines = strangers.tell(start + WINDOW);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].1.starts_with("999 (1000 like this"), "{lines:?}");
        // It goes on, and is counted on.
        assert!(!strangers.note(refused, &"b", start + WINDOW));
        assert_eq!(strangers.due(), Some(start + 2 * WINDOW));
        assert_eq!(strangers.tell(start + 3 * WINDOW).len(), 1);
        // A quiet minute ends it.
        assert!(strangers.note(refused, &"c", start + 4 * WINDOW));
        assert!(strangers.tell(start + 9 * WINDOW).is_empty());
        assert!(strangers.told.len() <= 2);
    }
}

//! Rate limit for log lines that unauthenticated connections cause: the first of a kind is logged,
//! the rest are counted. Otherwise anybody who reaches the port could flood the log.

use std::fmt;
use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

use bgpy_proto::ProtocolError;

use crate::duration::shown;
use crate::log::Level;

/// How long events of a kind are counted before the count is logged.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);

/// The kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A peer violated the protocol in this way.
    Refused(Discriminant<ProtocolError>),
    /// A connection was evicted.
    Evicted,
    /// The system failed to accept a connection, or to watch it.
    NotAccepted,
    /// A connection ended before it was authenticated, for whatever reason.
    Left,
}

impl Kind {
    pub(crate) fn refused(error: &ProtocolError) -> Self {
        Self::Refused(discriminant(error))
    }

    pub(crate) fn level(self) -> Level {
        if self == Self::Left { Level::Debug } else { Level::Warning }
    }
}

/// Kinds that were logged, and how often each has happened since.
#[derive(Debug, Default)]
pub(crate) struct LogLimiter {
    told: Vec<Told>,
}

#[derive(Debug)]
struct Told {
    kind: Kind,
    until: Instant,
    count: u64,
    /// The text of the last one.
    last: String,
}

impl LogLimiter {
    /// Counts an event; `true` if it is to be logged at once.
    pub(crate) fn note(&mut self, kind: Kind, what: &dyn fmt::Display, now: Instant) -> bool {
        self.told.retain(|told| told.count > 0 || told.until > now);
        if let Some(told) = self.told.iter_mut().find(|told| told.kind == kind) {
            told.count += 1;
            told.last = what.to_string();
            return false;
        }
        self.told.push(Told { kind, until: now + WINDOW, count: 0, last: String::new() });
        true
    }

    /// When the next counts are due; `None` if nothing was counted.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.told.iter().filter(|told| told.count > 0).map(|told| told.until).min()
    }

    /// The counts due by `until`, one line per kind. A kind that continues is counted further.
    pub(crate) fn tell(&mut self, until: Instant) -> Vec<(Level, String)> {
        let due = self.told.iter_mut().filter(|told| told.count > 0 && told.until <= until);
        due.map(|told| {
            let (count, last) = (std::mem::take(&mut told.count), std::mem::take(&mut told.last));
            told.until += WINDOW;
            let window = shown(WINDOW);
            let text = format!("{last} ({count} like this within {window}, this is the last)");
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
        let (mut limiter, start) = (LogLimiter::default(), Instant::now());
        let refused = Kind::refused(&ProtocolError::NotBgpy);
        let malformed = Kind::refused(&ProtocolError::Malformed("one"));
        assert_eq!(malformed, Kind::refused(&ProtocolError::Malformed("another")));
        assert!(limiter.note(refused, &"a", start), "the first at once");
        assert!(limiter.note(malformed, &"m", start), "another kind as well");
        assert_eq!(limiter.due(), None);
        for number in 0..1000 {
            assert!(!limiter.note(refused, &number, start + Duration::from_secs(1)));
        }
        assert_eq!(limiter.due(), Some(start + WINDOW));
        assert!(limiter.tell(start + WINDOW - Duration::from_nanos(1)).is_empty());
        let lines = limiter.tell(start + WINDOW);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].1.starts_with("999 (1000 like this"), "{lines:?}");
        // It continues and is counted.
        assert!(!limiter.note(refused, &"b", start + WINDOW));
        assert_eq!(limiter.due(), Some(start + 2 * WINDOW));
        assert_eq!(limiter.tell(start + 3 * WINDOW).len(), 1);
        // A minute without events resets the kind.
        assert!(limiter.note(refused, &"c", start + 4 * WINDOW));
        assert!(limiter.tell(start + 9 * WINDOW).is_empty());
        assert!(limiter.told.len() <= 2);
    }
}

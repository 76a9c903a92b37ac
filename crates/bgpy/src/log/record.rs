//! The records of a log: leveled lines with time and UTC offset.

use std::fmt;

use super::level::Level;
use crate::escape;

/// Prefix of a record's continuation lines, so that none can be mistaken for a record.
pub(super) const CONTINUED: &str = "    ";

/// Length of the timestamp at the start of a record.
pub(super) const STAMP_BYTES: usize = "2026-01-01T00:00:00+00:00".len();

/// Where the time of day is in a timestamp.
const TIME_OF_DAY: std::ops::Range<usize> = 11..19;

/// A timestamp tells the second.
const STAMP_MS: i64 = 1000;

/// The first line of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Its time, with UTC offset.
    pub stamp: &'a str,
    /// Its severity.
    pub level: Level,
    /// The rest of the line.
    pub text: &'a str,
}

impl<'a> Parts<'a> {
    /// The time of the day, without date and UTC offset.
    pub fn time_of_day(&self) -> &'a str {
        &self.stamp[TIME_OF_DAY]
    }
}

/// One record. Its text may come from others: it can neither control a terminal nor forge another
/// record.
pub(crate) fn record(level: Level, text: impl fmt::Display) -> String {
    let now = shown(&jiff::Zoned::now());
    let text = text.to_string();
    let lines = escape::text(text.trim_end()).replace('\n', &format!("\n{CONTINUED}"));
    // Most levels are this short, and the text has more room than with the longest.
    format!("{now} {level:<5} {lines}\n")
}

/// The parts of a record's first line; `None` for other lines.
pub fn parts(line: &str) -> Option<Parts<'_>> {
    let (stamp, rest) = line.split_at_checked(STAMP_BYTES)?;
    // Most lines are output of tasks; this check rules them out without parsing a time.
    if !stamp.is_ascii() || stamp.as_bytes()[4] != b'-' || stamp.as_bytes()[10] != b'T' {
        return None;
    }
    moment(stamp.as_bytes())?;
    let (level, text) = rest.strip_prefix(' ')?.split_once(' ')?;
    Some(Parts { stamp, level: level.parse().ok()?, text: text.trim() })
}

/// A time as logs show it, given in milliseconds since 1970 UTC, with this machine's UTC offset.
pub fn time(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    shown(&moment.to_zoned(jiff::tz::TimeZone::system()))
}

/// Parses a time such as `2026-01-31T12:00:00Z` or an age such as `10m` or `2h 30m`, and returns
/// milliseconds since 1970 UTC.
///
/// # Errors
/// A text that says which forms are valid.
pub fn when(text: &str) -> Result<i64, String> {
    let now = jiff::Zoned::now();
    let ago = || now.checked_sub(text.parse::<jiff::Span>().ok()?.abs()).ok();
    let moment = || text.parse::<jiff::Timestamp>().ok();
    let local =
        || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(now.time_zone().clone()).ok();
    let found = moment().or_else(|| ago().map(|then| then.timestamp()));
    let found = found.or_else(|| local().map(|then| then.timestamp()));
    found.map(jiff::Timestamp::as_millisecond).ok_or_else(|| {
        "use a time such as 2026-01-31T12:00:00Z, or an age such as 10m or 2h".into()
    })
}

/// The timestamp of a record, in milliseconds since 1970 UTC; `None` for other lines.
pub(crate) fn moment(line: &[u8]) -> Option<i64> {
    let word = line.split(|byte| *byte == b' ').next()?;
    let text = std::str::from_utf8(word).ok().filter(|text| text.len() == STAMP_BYTES)?;
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// Whether a record with this timestamp may be as late as `ms`.
pub(super) fn is_since(stamp_ms: i64, ms: i64) -> bool {
    stamp_ms.saturating_add(STAMP_MS) > ms
}

fn shown(moment: &jiff::Zoned) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_its_parts() {
        let line = record(Level::Warning, "a disk is full\nsee there");
        let (first, rest) = line.split_once('\n').unwrap();
        let found = parts(first).unwrap();
        assert_eq!((found.level, found.text), (Level::Warning, "a disk is full"));
        assert_eq!(found.stamp.len(), STAMP_BYTES);
        assert_eq!(rest, "    see there\n");
        let line = "2026-01-31T12:30:01+01:00 INFO  ready";
        let found = parts(line).unwrap();
        assert_eq!(
            (found.level, found.text, found.time_of_day()),
            (Level::Info, "ready", "12:30:01")
        );
    }

    #[test]
    fn other_lines_have_none() {
        for line in [
            "",
            "printed",
            "2026-01-31T12:30:01+01:00",
            "2026-01-31T12:30:01+01:00 printed by a task",
            "2026-01-31T25:30:01+01:00 INFO  no such hour",
            "\u{e9}026-01-31T12:30:01+01:00 INFO  x",
            "    2026-01-31T12:30:01+01:00 INFO  continued",
        ] {
            assert_eq!(parts(line), None, "{line}");
        }
    }

    #[test]
    fn a_record_of_the_second_asked_for_may_be_as_late() {
        assert!(is_since(1_000, 1_000) && is_since(1_000, 1_999));
        assert!(!is_since(1_000, 2_000));
        assert!(is_since(i64::MAX, i64::MAX - 1));
    }
}

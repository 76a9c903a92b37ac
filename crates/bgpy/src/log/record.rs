//! The records of a log: leveled lines with time and UTC offset.

use std::fmt;

use super::level::Level;
use crate::escape;

/// Prefix of a record's continuation lines, so that none can be mistaken for a record.
pub(super) const CONTINUED: &str = "    ";

/// Length of the timestamp at the start of a record.
pub(super) const STAMP_BYTES: usize = "2026-01-01T00:00:00.000+00:00".len();

/// One record. Its text may come from others: it can neither control a terminal nor forge another
/// record.
pub(crate) fn record(level: Level, text: impl fmt::Display) -> String {
    let (now, id) = (shown(&jiff::Zoned::now()), std::process::id());
    let text = text.to_string();
    let lines = escape::text(text.trim_end()).replace('\n', &format!("\n{CONTINUED}"));
    format!("{now} {level:<8} [{id}] {lines}\n")
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

fn shown(moment: &jiff::Zoned) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

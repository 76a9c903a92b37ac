//! Dates, times, time spans and time zones, and their encoding.

use std::fmt;

const DAY_US: i64 = 86_400 * 1_000_000;
const DAYS_MAX: u32 = 999_999_999;

/// Python's `date`: a day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// From 1 to 9999.
    pub year: u16,
    /// From 1 to 12.
    pub month: u8,
    /// From 1.
    pub day: u8,
}

/// Python's `time`: a time of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time {
    /// Below 24.
    pub hour: u8,
    /// Below 60.
    pub minute: u8,
    /// Below 60.
    pub second: u8,
    /// Below a million.
    pub microsecond: u32,
    /// Whether it is the second of two ambiguous times when clocks are set back.
    pub fold: bool,
    /// Its time zone; `None` for a naive time.
    pub zone: Option<Box<Zone>>,
}

/// Python's `datetime`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateTime {
    /// The day.
    pub date: Date,
    /// The time of the day, with the time zone.
    pub time: Time,
}

/// Python's `timedelta` in normalized form: only the days can be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Up to 999 999 999 in both directions.
    pub days: i32,
    /// Below 86 400.
    pub seconds: u32,
    /// Below a million.
    pub microseconds: u32,
}

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Zone {
    /// Python's `timezone`: a fixed offset from UTC.
    Offset {
        /// Less than a day in both directions.
        microseconds: i64,
        /// Its own name, if it has one.
        name: Option<String>,
    },
    /// Python's `ZoneInfo`: a name in the time zone database, such as `Europe/Berlin`.
    Region(String),
}

impl Date {
    /// Whether the day exists.
    pub fn is_valid(self) -> bool {
        let leap = self.year.is_multiple_of(4)
            && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => 0,
        };
        (1..=9999).contains(&self.year) && (1..=days).contains(&self.day)
    }

    /// Appends its encoding.
    pub fn append(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.year.to_be_bytes());
        out.extend_from_slice(&[self.month, self.day]);
    }

    /// Decodes it; `None` if the day does not exist.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let &[high, low, month, day] = bytes else { return None };
        Some(Self { year: u16::from_be_bytes([high, low]), month, day })
            .filter(|date| date.is_valid())
    }
}

impl Time {
    /// Whether the time exists.
    pub fn is_valid(&self) -> bool {
        self.hour < 24
            && self.minute < 60
            && self.second < 60
            && self.microsecond < 1_000_000
            && self.zone.as_ref().is_none_or(|zone| zone.is_valid())
    }

    /// Appends its encoding.
    pub fn append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.hour, self.minute, self.second, u8::from(self.fold)]);
        out.extend_from_slice(&self.microsecond.to_be_bytes());
        if let Some(zone) = &self.zone {
            zone.append(out);
        }
    }

    /// Decodes it; `None` if the time does not exist.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (&[hour, minute, second, fold @ (0 | 1), us @ ..], zone) =
            bytes.split_first_chunk::<8>()?
        else {
            return None;
        };
        let zone = if zone.is_empty() { None } else { Some(Box::new(Zone::read(zone)?)) };
        let microsecond = u32::from_be_bytes(us);
        Some(Self { hour, minute, second, microsecond, fold: fold == 1, zone })
            .filter(Self::is_valid)
    }
}

impl DateTime {
    /// Whether day and time exist.
    pub fn is_valid(&self) -> bool {
        self.date.is_valid() && self.time.is_valid()
    }

    /// Appends its encoding.
    pub fn append(&self, out: &mut Vec<u8>) {
        self.date.append(out);
        self.time.append(out);
    }

    /// Decodes it; `None` if the day or the time does not exist.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (date, time) = bytes.split_at_checked(4)?;
        Some(Self { date: Date::read(date)?, time: Time::read(time)? })
    }
}

impl Span {
    /// Whether it is normalized.
    pub fn is_valid(self) -> bool {
        self.days.unsigned_abs() <= DAYS_MAX
            && self.seconds < 86_400
            && self.microseconds < 1_000_000
    }

    /// Appends its encoding.
    pub fn append(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.days.to_be_bytes());
        out.extend_from_slice(&self.seconds.to_be_bytes());
        out.extend_from_slice(&self.microseconds.to_be_bytes());
    }

    /// Decodes it; `None` if it is not normalized.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 12] = bytes.try_into().ok()?;
        let part = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let (days, seconds) = (i32::from_be_bytes(part(0)), u32::from_be_bytes(part(4)));
        Some(Self { days, seconds, microseconds: u32::from_be_bytes(part(8)) })
            .filter(|span| span.is_valid())
    }

    /// Its length in microseconds.
    pub fn to_microseconds(self) -> i128 {
        i128::from(self.days) * i128::from(DAY_US)
            + i128::from(self.seconds) * 1_000_000
            + i128::from(self.microseconds)
    }
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self::Offset { microseconds: 0, name: None };

    /// Whether the offset is less than a day, or the region has a name.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Offset { microseconds, .. } => {
                microseconds.unsigned_abs() < DAY_US.unsigned_abs()
            }
            Self::Region(key) => !key.is_empty(),
        }
    }

    /// Appends its encoding.
    pub fn append(&self, out: &mut Vec<u8>) {
        match self {
            Self::Offset { microseconds, name } => {
                out.push(u8::from(name.is_some()));
                out.extend_from_slice(&microseconds.to_be_bytes());
                out.extend_from_slice(name.as_deref().unwrap_or_default().as_bytes());
            }
            Self::Region(key) => {
                out.push(2);
                out.extend_from_slice(key.as_bytes());
            }
        }
    }

    /// Decodes it; `None` if it is not a valid zone.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        let zone = match bytes.split_first()? {
            (tag @ (0 | 1), rest) => {
                let (offset, name) = rest.split_first_chunk()?;
                let name = match tag {
                    0 if name.is_empty() => None,
                    0 => return None,
                    _ => Some(text(name)?),
                };
                Self::Offset { microseconds: i64::from_be_bytes(*offset), name }
            }
            (2, key) => Self::Region(text(key)?),
            _ => return None,
        };
        Some(zone).filter(Self::is_valid)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)?;
        if self.microsecond != 0 {
            write!(f, ".{:06}", self.microsecond)?;
        }
        self.zone.as_ref().map_or(Ok(()), |zone| zone.fmt(f))
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{}", self.date, self.time)
    }
}

impl fmt::Display for Zone {
    /// The suffix of a time: `+02:00`, or `[Europe/Berlin]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Offset { microseconds, .. } = self else {
            let Self::Region(key) = self else { return Ok(()) };
            return write!(f, "[{key}]");
        };
        let sign = if *microseconds < 0 { '-' } else { '+' };
        let (seconds, rest) =
            (microseconds.unsigned_abs() / 1_000_000, microseconds.unsigned_abs() % 1_000_000);
        write!(f, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)?;
        if seconds % 60 != 0 || rest != 0 {
            write!(f, ":{:02}", seconds % 60)?;
        }
        if rest == 0 { Ok(()) } else { write!(f, ".{rest:06}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        let date = |year: u16, month, day| Date { year, month, day }.is_valid();
        assert!(date(1, 1, 1) && date(9999, 12, 31) && date(2024, 2, 29) && date(2000, 2, 29));
        assert!(!date(0, 1, 1) && !date(10_000, 1, 1) && !date(2026, 2, 29) && !date(1900, 2, 29));
        assert!(!date(2026, 0, 1) && !date(2026, 13, 1) && !date(2026, 1, 0) && !date(2026, 4, 31));
    }

    #[test]
    fn they_are_written_in_iso_8601() {
        let zone = |microseconds| Some(Box::new(Zone::Offset { microseconds, name: None }));
        let mut time =
            Time { hour: 3, minute: 4, second: 5, microsecond: 0, fold: false, zone: None };
        assert_eq!(time.to_string(), "03:04:05");
        time = Time { microsecond: 60, zone: zone(-5_400_000_000), ..time };
        assert_eq!(time.to_string(), "03:04:05.000060-01:30");
        time.zone = zone(1_000_001);
        let date = Date { year: 26, month: 1, day: 2 };
        let both = DateTime { date, time: Time { microsecond: 0, ..time } };
        assert_eq!(both.to_string(), "0026-01-02T03:04:05+00:00:01.000001");
    }
}

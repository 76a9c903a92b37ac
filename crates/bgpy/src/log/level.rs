//! Severity levels of log records.

use std::fmt;
use std::str::FromStr;

/// The severity of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For debugging bgpy or its use.
    Debug,
    /// Regular events of a server.
    Info,
    /// Something that may need attention.
    Warning,
    /// A failure.
    Error,
    /// A failure that ends the server.
    Critical,
}

const LEVELS: [(Level, &str); 5] = [
    (Level::Debug, "DEBUG"),
    (Level::Info, "INFO"),
    (Level::Warning, "WARNING"),
    (Level::Error, "ERROR"),
    (Level::Critical, "CRITICAL"),
];

impl Level {
    /// The level's name.
    pub fn as_str(self) -> &'static str {
        LEVELS.iter().find(|(level, _)| *level == self).map_or("INFO", |(_, name)| name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = LEVELS.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        known.map(|(level, _)| *level).ok_or_else(|| {
            format!("'{text}' is not a log level: use DEBUG, INFO, WARNING, ERROR or CRITICAL")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_in_any_case() {
        assert_eq!("debug".parse(), Ok(Level::Debug));
        assert!("loud".parse::<Level>().unwrap_err().contains("'loud'"));
    }
}

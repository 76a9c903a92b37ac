//! How much the lines of a log matter.

use std::fmt;
use std::str::FromStr;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For those who look for a fault in bgpy or in its use.
    Debug,
    /// What a server does in its life.
    Info,
    /// What somebody may want to look at.
    Warning,
    /// What failed.
    Error,
    /// What ends the server.
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
            format!("'{text}' is no log level: take DEBUG, INFO, WARNING, ERROR or CRITICAL")
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

//! Whether a server that has failed is started again, and how often.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The time in which restarts are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// Restarts in that time, unless the user says how many.
const MOST: u32 = 5;

/// When a server is started again. As text: `never`, `on-failure`, or `on-failure:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Restart {
    /// Not at all.
    #[default]
    Never,
    /// When it ends in another way than it should: killed by a signal, or with an exit code other than
    /// 0, without having been told to end.
    OnFailure {
        /// Restarts within a minute; one failure more, and it stays down.
        most: u32,
    },
}

impl Restart {
    /// On failure, as often as is good for most.
    pub const ON_FAILURE: Self = Self::OnFailure { most: MOST };
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Never => f.pad("never"),
            Self::ON_FAILURE => f.pad("on-failure"),
            Self::OnFailure { most } => write!(f, "on-failure:{most}"),
        }
    }
}

impl FromStr for Restart {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let most = |digits: &str| digits.parse().ok().filter(|most| *most > 0);
        match text.split_once(':') {
            None if text == "never" => Some(Self::Never),
            None if text == "on-failure" => Some(Self::ON_FAILURE),
            Some(("on-failure", digits)) => most(digits).map(|most| Self::OnFailure { most }),
            _ => None,
        }
        .ok_or_else(|| {
            format!(
                "restart='{text}' is invalid: use never, on-failure, or on-failure:N for at \
                 most N times a minute"
            )
        })
    }
}

impl TryFrom<String> for Restart {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Restart> for String {
    fn from(restart: Restart) -> Self {
        restart.to_string()
    }
}

/// The restarts of the last minute.
#[derive(Debug)]
pub(crate) struct Quota {
    most: u32,
    recent: VecDeque<Instant>,
}

impl Quota {
    pub(crate) fn new(restart: Restart) -> Self {
        let most = match restart {
            Restart::Never => 0,
            Restart::OnFailure { most } => most,
        };
        Self { most, recent: VecDeque::new() }
    }

    /// Takes note of a restart at this moment, unless it would be one too many.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let is_over = |then: &Instant| now.saturating_duration_since(*then) >= WINDOW;
        while self.recent.front().is_some_and(is_over) {
            self.recent.pop_front();
        }
        let is_left = (self.recent.len() as u64) < u64::from(self.most);
        if is_left {
            self.recent.push_back(now);
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_as_they_are_shown() {
        for text in ["never", "on-failure", "on-failure:1", "on-failure:50"] {
            assert_eq!(text.parse::<Restart>().unwrap().to_string(), text);
        }
        assert_eq!("on-failure:5".parse(), Ok(Restart::ON_FAILURE));
        for wrong in ["", "always", "on-failure:", "on-failure:0", "on-failure:-1", "never:3"] {
            assert!(wrong.parse::<Restart>().unwrap_err().contains(wrong));
        }
    }

    #[test]
    fn so_many_in_a_minute_and_no_more() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut quota = Quota::new(Restart::OnFailure { most: 2 });
        assert!(quota.take(at(0)) && quota.take(at(30)));
        assert!(!quota.take(at(59)));
        assert!(quota.take(at(60)) && !quota.take(at(89)) && quota.take(at(90)));
        assert!(!Quota::new(Restart::Never).take(start));
    }
}

//! Whether a failed server is restarted, when, and until when.
//!
//! Everything here is arithmetic; callers read the clock.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::duration::shown;

/// The pause before the second restart in a row; it doubles each time.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
pub(crate) const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A server is healthy after accepting calls for this long in total since its first failure:
/// earlier failures no longer count.
pub(crate) const HEALTHY: Duration = Duration::from_secs(60);

/// How long a server may fail before it is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5 * 60);

/// Minimum number of restarts, unless the user sets it.
const LEAST: u32 = 5;

/// When a server is restarted. As text: `never`, `on-failure`, or `on-failure:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Restart {
    /// Never.
    #[default]
    Never,
    /// When it fails: killed by a signal, or exits with a code other than 0, without being told to
    /// end.
    OnFailure {
        /// Restarts before it may be given up. This many crashes are not slowed down either.
        least: u32,
    },
}

impl Restart {
    /// On failure, with the default number of restarts.
    pub const ON_FAILURE: Self = Self::OnFailure { least: LEAST };
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Never => f.pad("never"),
            Self::ON_FAILURE => f.pad("on-failure"),
            Self::OnFailure { least } => write!(f, "on-failure:{least}"),
        }
    }
}

impl FromStr for Restart {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let least = |digits: &str| digits.parse().ok().filter(|least| *least > 0);
        match text.split_once(':') {
            None if text == "never" => Some(Self::Never),
            None if text == "on-failure" => Some(Self::ON_FAILURE),
            Some(("on-failure", digits)) => least(digits).map(|least| Self::OnFailure { least }),
            _ => None,
        }
        .ok_or_else(|| {
            format!(
                "restart='{text}' is invalid: use never, on-failure, or on-failure:N for at \
                 least N restarts before the server is given up"
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

/// How a server's process ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessEnd {
    /// With exit code 0.
    pub(crate) succeeded: bool,
    /// It had reported that it accepts no more calls.
    pub(crate) was_retiring: bool,
    /// A signal had told its supervisor to stop.
    pub(crate) was_told: bool,
    /// This process, or one before it, had accepted calls.
    pub(crate) has_been_ready: bool,
}

impl ProcessEnd {
    /// Whether the end counts as a failure, after which the server may be restarted. A server whose
    /// first start fails is not restarted.
    pub(crate) fn is_failure(self) -> bool {
        let is_over = self.was_told || self.was_retiring || self.succeeded;
        !is_over && self.has_been_ready
    }
}

/// The times that a [`Schedule`] uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) pause: Duration,
    pub(crate) pause_max: Duration,
    pub(crate) healthy: Duration,
    pub(crate) give_up_after: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { pause: PAUSE, pause_max: PAUSE_MAX, healthy: HEALTHY, give_up_after: GIVE_UP_AFTER }
    }
}

/// When a failing server is restarted.
///
/// The first failure of a healthy server is followed by an immediate restart: clients should not
/// wait because of one crash. A failing start may need time, because a device or a disk is not
/// there yet: the pause before the next try doubles each time. Crashes of a server that does start
/// are slowed down in the same way once there are more than the user allows.
#[derive(Debug)]
pub(crate) struct Schedule {
    least: u32,
    times: Times,
    /// Events since the server was healthy.
    spell: Spell,
}

#[derive(Debug, Default)]
struct Spell {
    since: Option<Instant>,
    failures: u32,
    /// Failures after the server accepted calls.
    crashes: u32,
    /// Failed starts since the last successful one.
    failed_starts: u32,
    /// Total time in which calls were accepted.
    healthy_for: Duration,
}

impl Schedule {
    pub(crate) fn new(restart: Restart, times: Times) -> Self {
        let least = match restart {
            Restart::Never => 0,
            Restart::OnFailure { least } => least,
        };
        Self { least, times, spell: Spell::default() }
    }

    /// Records a failure at `now`, and returns the pause before the restart; `None` means to give
    /// up. `took_calls_for` is `None` if the server never accepted calls.
    pub(crate) fn failed(
        &mut self,
        now: Instant,
        took_calls_for: Option<Duration>,
    ) -> Option<Duration> {
        let Times { pause, pause_max, healthy, give_up_after } = self.times;
        let spell = &mut self.spell;
        spell.healthy_for += took_calls_for.unwrap_or_default();
        if spell.healthy_for >= healthy {
            *spell = Spell::default();
        }
        let since = *spell.since.get_or_insert(now);
        spell.failures += 1;
        match took_calls_for {
            Some(_) => (spell.crashes, spell.failed_starts) = (spell.crashes + 1, 0),
            None => spell.failed_starts += 1,
        }
        if spell.failures > self.least && now.saturating_duration_since(since) >= give_up_after {
            return None;
        }
        if spell.failures == 1 && spell.crashes == 1 {
            return Some(Duration::ZERO);
        }
        let excess = spell.crashes.saturating_sub(self.least);
        let doublings = spell.failed_starts.saturating_sub(1) + excess;
        Some(pause.saturating_mul(2u32.saturating_pow(doublings)).min(pause_max))
    }

    /// Failures since the server was healthy.
    pub(crate) fn failures(&self) -> u32 {
        self.spell.failures
    }

    /// Since when it has been failing.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.spell.since
    }
}

/// The published failures of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// How often it has failed since it was healthy.
    pub failures: u32,
    /// The last failure.
    pub last: String,
    /// Its time, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// The time of the next start, if there will be one.
    #[serde(default)]
    pub next_ms: Option<i64>,
}

impl Failing {
    /// How long until the next start, if there will be one.
    pub fn next_in(&self) -> Option<Duration> {
        let left = self.next_ms?.saturating_sub(jiff::Timestamp::now().as_millisecond());
        // The clock may have been set meanwhile: the result is capped at the longest pause.
        let left = Duration::from_millis(u64::try_from(left).ok().filter(|left| *left > 0)?);
        Some(left.min(PAUSE_MAX))
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failures {
            1 => write!(f, "it has failed: {}", self.last)?,
            many => write!(f, "it has failed {many} times, last: {}", self.last)?,
        }
        match self.next_in() {
            Some(left) if left >= Duration::from_secs(1) => {
                let left = Duration::from_secs(left.as_secs_f64().ceil() as u64);
                write!(f, "; next try in {}", shown(left))
            }
            Some(_) => f.write_str("; next try in less than 1s"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Option<Duration> = Some(Duration::from_millis(50));

    fn schedule(least: u32) -> Schedule {
        Schedule::new(Restart::OnFailure { least }, Times::default())
    }

    /// Pauses in milliseconds of consecutive failures, each after its pause; until the server is
    /// given up, or up to `most`.
    fn pauses(schedule: &mut Schedule, took_calls_for: Option<Duration>, most: usize) -> Vec<u128> {
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        while pauses.len() < most {
            let Some(pause) = schedule.failed(now, took_calls_for) else { break };
            now += pause + took_calls_for.unwrap_or_default();
            pauses.push(pause.as_millis());
        }
        pauses
    }

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
    fn a_crash_is_followed_by_a_restart_at_once_and_a_failed_start_by_longer_and_longer_pauses() {
        let mut schedule = schedule(5);
        assert_eq!(schedule.failed(Instant::now(), SHORT), Some(Duration::ZERO));
        let growing: Vec<_> = (0..9).map(|doublings| 100 << doublings).collect();
        let all = pauses(&mut schedule, None, 12);
        assert_eq!(all[..9], growing);
        assert_eq!(all[9..], [30_000; 3]);
    }

    #[test]
    fn it_is_given_up_after_so_many_failures_and_so_long() {
        let started = Instant::now();
        let at = |seconds| started + Duration::from_secs(seconds);
        let mut quick = schedule(2);
        for second in [0, 1, 2, 100, 299] {
            assert!(quick.failed(at(second), None).is_some(), "{second}");
        }
        assert_eq!((quick.failed(at(300), None), quick.failures()), (None, 6));
        assert_eq!(quick.since(), Some(started));
        // A slow start gets the same number of tries.
        let mut slow = schedule(2);
        assert!(slow.failed(at(0), None).is_some() && slow.failed(at(1000), None).is_some());
        assert!(slow.failed(at(2000), None).is_none());
        // The tries of the default span that time, and are few.
        let all = pauses(&mut schedule(5), None, 100);
        assert_eq!(all.len(), 18);
        assert!(all.iter().sum::<u128>() >= 300_000);
    }

    #[test]
    fn crashes_are_slowed_down_once_they_are_more_than_allowed() {
        let all = pauses(&mut schedule(5), SHORT, 9);
        assert_eq!(all, [0, 100, 100, 100, 100, 200, 400, 800, 1600]);
        assert_eq!(pauses(&mut schedule(50), SHORT, 50).iter().sum::<u128>(), 4900);
    }

    #[test]
    fn a_minute_of_calls_makes_it_healthy_at_once_or_piece_by_piece() {
        let mut schedule = schedule(5);
        pauses(&mut schedule, None, 12);
        let later = Instant::now() + Duration::from_secs(100);
        assert_eq!(schedule.failed(later, Some(HEALTHY)), Some(Duration::ZERO));
        assert_eq!(schedule.failures(), 1);
        // A server that crashes now and then is never given up, and its restarts are hardly
        // delayed.
        let often = pauses(&mut schedule, Some(Duration::from_secs(11)), 1000);
        assert!(often.len() == 1000 && often.iter().all(|pause| *pause <= 200));
    }

    #[test]
    fn a_start_that_succeeds_begins_the_pauses_anew() {
        let mut schedule = schedule(5);
        let now = Instant::now();
        let mut failed = |took_calls_for| schedule.failed(now, took_calls_for).unwrap().as_millis();
        assert_eq!([SHORT, None, None, None].map(&mut failed), [0, 100, 200, 400]);
        assert_eq!([SHORT, None, None].map(&mut failed), [100, 100, 200]);
    }

    #[test]
    fn no_number_of_failures_overflows() {
        let mut schedule = schedule(u32::MAX);
        let all = pauses(&mut schedule, None, 100_000);
        assert!(all.len() == 100_000 && all[99_999] == 30_000);
    }

    #[test]
    fn what_is_told_of_one_that_fails() {
        let now = jiff::Timestamp::now().as_millisecond();
        let told = |failures, next_ms| {
            Failing { failures, last: "signal 9".into(), at_ms: now, next_ms }.to_string()
        };
        assert_eq!(told(1, None), "it has failed: signal 9");
        let soon = "; next try in less than 1s";
        assert_eq!(told(1, Some(now + 900)), format!("it has failed: signal 9{soon}"));
        let words = "it has failed 3 times, last: signal 9";
        assert_eq!(told(3, Some(now - 1)), words);
        // The clock was set.
        assert_eq!(told(3, Some(i64::MAX)), format!("{words}; next try in 30s"));
    }
}

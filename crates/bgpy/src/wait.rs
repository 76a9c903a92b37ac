//! How long a caller waits, and what may end the wait early.

use std::time::{Duration, Instant};

use crate::clock;

/// A time limit and a look at the outside world.
pub struct Wait<'a> {
    limit: Option<Duration>,
    since: Instant,
    interrupted: &'a dyn Fn() -> bool,
}

/// What a wait may end too early, at most.
const MOMENT: Duration = Duration::from_millis(1);

/// Waits are cut into slices of this length, to look for time limits, a silent server and signals
/// that came a moment before the wait began.
pub(crate) const SLICE: Duration = Duration::from_millis(200);

impl Wait<'static> {
    /// Waits as long as the server lives.
    pub fn forever() -> Self {
        Self { limit: None, since: clock::now(), interrupted: &|| false }
    }

    /// Waits so long, counted from now.
    pub fn at_most(limit: Duration) -> Self {
        Self { limit: Some(limit), ..Self::forever() }
    }
}

impl<'a> Wait<'a> {
    /// Waits so long, counted from now. `interrupted` is asked when a signal has arrived and a few
    /// times a second; `true` ends the wait.
    pub fn new(limit: Option<Duration>, interrupted: &'a dyn Fn() -> bool) -> Self {
        Self { limit, since: clock::now(), interrupted }
    }

    /// The time limit.
    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// When the wait began.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Whether the caller wants to stop.
    pub fn is_interrupted(&self) -> bool {
        (self.interrupted)()
    }

    /// What is left of the time; `None` when that is not limited.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.saturating_sub(clock::since(self.since)))
    }

    /// How long the next slice of the wait is; `None` when the time is over.
    pub fn slice(&self) -> Option<Duration> {
        match self.limit {
            None => Some(SLICE),
            Some(limit) => {
                let spent = clock::since(self.since);
                let left = limit.checked_sub(spent).filter(|left| !left.is_zero())?;
                // Halfway, and not a moment earlier, a silent server is asked for a sign of life.
                let half = (limit / 2 + MOMENT).checked_sub(spent).filter(|left| !left.is_zero());
                Some(left.min(SLICE).min(half.unwrap_or(left)))
            }
        }
    }
}

impl std::fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wait").field("limit", &self.limit).finish_non_exhaustive()
    }
}

//! How long a caller waits, and what may end the wait early.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::clock;
use crate::notices::{Notices, PhaseGuard};

/// A time limit and a check for interruption.
pub struct Wait<'a> {
    limit: Option<Duration>,
    since: Instant,
    deadline: Option<Instant>,
    interrupted: &'a dyn Fn() -> bool,
    withdrawal: Option<&'a Withdrawal>,
    notices: Option<&'a Notices<'a>>,
}

/// Whether a call whose caller is interrupted must not run, because the caller is told so.
#[derive(Debug, Default)]
pub struct Withdrawal {
    is_asked: Cell<bool>,
    has_failed: Cell<bool>,
}

/// Longest time for connecting and the handshake, unless the caller sets a shorter one.
const CONNECT: Duration = Duration::from_secs(10);

/// How much a wait may end too early.
const MOMENT: Duration = Duration::from_millis(1);

/// Waits are cut into slices of this length, to check for time limits, a silent server, and signals
/// that arrived just before the wait.
pub(crate) const SLICE: Duration = Duration::from_millis(200);

impl Wait<'static> {
    /// Waits as long as the server lives.
    pub fn forever() -> Self {
        Self::new(None, &|| false)
    }

    /// Waits up to `limit` from now.
    pub fn at_most(limit: Duration) -> Self {
        Self::new(Some(limit), &|| false)
    }
}

impl<'a> Wait<'a> {
    /// Waits up to `limit` from now. `interrupted` is called after a signal and several times a
    /// second; `true` ends the wait.
    pub fn new(limit: Option<Duration>, interrupted: &'a dyn Fn() -> bool) -> Self {
        let since = clock::now();
        Self { limit, since, deadline: None, interrupted, withdrawal: None, notices: None }
    }

    /// Calls tell the server that their caller has no time beyond this.
    #[must_use]
    pub fn with_deadline(self, deadline: Option<Instant>) -> Self {
        Self { deadline, ..self }
    }

    /// If `interrupted` [asks](Withdrawal::ask) for it, the wait ends only when it is certain that the call does not run.
    #[must_use]
    pub fn with_withdrawal(self, withdrawal: &'a Withdrawal) -> Self {
        Self { withdrawal: Some(withdrawal), ..self }
    }

    /// The same wait; if it takes long, the user is told what it is for.
    #[must_use]
    pub fn with_notices<'b>(&self, notices: &'b Notices<'b>) -> Wait<'b>
    where
        'a: 'b,
    {
        Wait { notices: Some(notices), ..*self }
    }

    /// Begins a part of the wait. If it takes long, the user is told what it is for, in the words of the
    /// function that `what` returns.
    pub fn phase<F: Fn() -> String + 'static>(&self, what: impl FnOnce() -> F) -> PhaseGuard<'a> {
        self.notices.map_or_else(PhaseGuard::untold, |notices| notices.begin(Box::new(what())))
    }

    /// The withdrawal, if it was asked for.
    pub(crate) fn withdrawal(&self) -> Option<&'a Withdrawal> {
        self.withdrawal.filter(|withdrawal| withdrawal.is_asked.get())
    }

    /// The time until the deadline, if there is one.
    pub fn until_deadline(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(clock::now()))
    }

    /// The time limit.
    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// When the wait began.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Whether the caller wants to stop. Tells the user what is waited for, if it is time.
    pub fn is_interrupted(&self) -> bool {
        if let Some(notices) = self.notices {
            notices.poll();
        }
        (self.interrupted)()
    }

    /// The rest of the time; `None` if there is no limit.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.saturating_sub(clock::since(self.since)))
    }

    /// The rest of the time for an attempt to connect that began at `since`; `None` if it is over.
    pub(crate) fn left_to_connect(&self, since: Instant) -> Option<Duration> {
        let left = CONNECT.checked_sub(clock::since(since))?;
        Some(self.left().map_or(left, |limit| limit.min(left))).filter(|left| !left.is_zero())
    }

    /// How long an attempt to connect may take in all.
    pub(crate) fn limit_to_connect(&self) -> Duration {
        self.limit.map_or(CONNECT, |limit| limit.min(CONNECT))
    }

    /// The length of the next slice; `None` if the time is over.
    #[doc(hidden)]
    pub fn slice(&self) -> Option<Duration> {
        match self.limit {
            None => Some(SLICE),
            Some(limit) => {
                let spent = clock::since(self.since);
                let left = limit.checked_sub(spent).filter(|left| !left.is_zero())?;
                // The slice ends just after half the time, when a probe is due for a silent server.
                let half = (limit / 2 + MOMENT).checked_sub(spent).filter(|left| !left.is_zero());
                Some(left.min(SLICE).min(half.unwrap_or(left)))
            }
        }
    }
}

impl Withdrawal {
    /// Demands that the call does not run.
    pub fn ask(&self) {
        self.is_asked.set(true);
    }

    /// Notes that it has run.
    pub(crate) fn fail(&self) {
        self.has_failed.set(true);
    }

    /// Whether the call has run all the same: then the wait has its result.
    pub fn has_failed(&self) -> bool {
        self.has_failed.get()
    }
}

impl std::fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wait").field("limit", &self.limit).finish_non_exhaustive()
    }
}

//! Rules for waiting for servers that are restarted after a failure.

use std::time::{Duration, Instant};

use bgpy_proto::{State, Status};

use crate::clock;
use crate::error::{CallError, ConnectError};
use crate::restart::Failing;
use crate::wait::{SLICE, Wait};

/// How long to wait for a restart, unless the caller sets a limit.
const DEFAULT_LIMIT: Duration = Duration::from_secs(10);

/// How often a starting server is polled.
pub(super) const POLL_EVERY: Duration = Duration::from_millis(10);

/// The time a caller gives a server to restart.
pub(super) struct RestartWait<'a> {
    server: &'a str,
    wait: &'a Wait<'a>,
    since: Instant,
}

/// Whether a restarted server has its tasks, so that calls can be sent.
pub(super) fn has_tasks(status: &Status) -> bool {
    status.state != State::Starting
}

/// What a caller does about servers without a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// Nothing: there is a process to connect to, or none will be restarted.
    None,
    /// Wait this long and check again.
    For(Duration),
    /// Give up: the time is over.
    Over,
}

/// Whether a call that waited for a start can be sent on the next connection: its connection was
/// lost before it was sent, because that start failed.
pub(super) fn may_go_elsewhere(error: &CallError, wait: &Wait<'_>) -> bool {
    matches!(error, CallError::Lost { .. }) && wait.slice().is_some()
}

/// Whether a retry makes sense for a supervised server: if its process died while connecting, it is
/// restarted.
pub(super) fn may_be_back_soon(error: &ConnectError) -> bool {
    matches!(
        error,
        ConnectError::NotRunning { .. } | ConnectError::NoSuchName { .. } | ConnectError::Io { .. }
    )
}

impl<'a> RestartWait<'a> {
    /// For a caller that has been looking `since` a moment.
    pub(super) fn since(server: &'a str, wait: &'a Wait<'a>, since: Instant) -> Self {
        Self { server, wait, since }
    }

    /// What to do about servers, given for each how long it pauses before the next restart, if it
    /// does.
    pub(super) fn pause(&self, pauses: impl Iterator<Item = Option<Duration>>) -> Pause {
        let pauses: Option<Vec<Duration>> = pauses.collect();
        let Some(pause) = pauses.and_then(|pauses| pauses.into_iter().min()) else {
            return Pause::None;
        };
        self.left().map_or(Pause::Over, |left| Pause::For(pause.min(left).min(SLICE)))
    }

    /// The rest of the caller's time.
    pub(super) fn left(&self) -> Option<Duration> {
        let left =
            self.wait.left().unwrap_or(DEFAULT_LIMIT.saturating_sub(clock::since(self.since)));
        (!left.is_zero()).then_some(left)
    }

    /// The error when it is over, for a server that has failed like this.
    pub(super) fn over(&self, failing: Option<Failing>) -> ConnectError {
        let (server, after) = (self.server.to_owned(), self.wait.limit().unwrap_or(DEFAULT_LIMIT));
        ConnectError::Restarting { server, after, failing }
    }
}

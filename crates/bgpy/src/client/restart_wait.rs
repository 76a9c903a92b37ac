//! Waiting for servers that are restarted after a failure.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use bgpy_proto::{State, Status};

use super::link::Link;
use crate::clock;
use crate::error::{CallError, ConnectError};
use crate::registry::{Entry, Registry};
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
    pub(super) fn new(server: &'a str, wait: &'a Wait<'a>) -> Self {
        Self::since(server, wait, clock::now())
    }

    /// Like [`new`](Self::new), for a caller that has been looking `since` a moment.
    pub(super) fn since(server: &'a str, wait: &'a Wait<'a>, since: Instant) -> Self {
        Self { server, wait, since }
    }

    /// Waits a slice of time if all matching servers pause before a restart, so that none would
    /// answer. Returns whether there was such a pause.
    pub(super) fn wait_out(&self, entries: &[Entry]) -> Result<bool, ConnectError> {
        let pause = match self.pause(entries.iter().map(Entry::pause)) {
            Pause::None => return Ok(false),
            _ if self.wait.is_interrupted() => return Err(ConnectError::Interrupted),
            Pause::Over => return Err(self.failed(entries.first())),
            Pause::For(pause) => pause,
        };
        thread::sleep(pause);
        Ok(true)
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

    /// The error for a server that did not answer in time, if the reason is that it has no process.
    pub(super) fn explain(&self, registry: &Registry, entries: &[Entry]) -> Option<ConnectError> {
        let known = entries.iter().filter_map(|entry| registry.entry(&entry.instance));
        let mut away = known.filter(|entry| entry.is_restarted() && entry.has_lost_process());
        away.next().map(|entry| self.failed(Some(&entry)))
    }

    fn failed(&self, entry: Option<&Entry>) -> ConnectError {
        ConnectError::Restarting {
            server: self.server.to_owned(),
            after: self.wait.limit().unwrap_or(DEFAULT_LIMIT),
            failing: entry.and_then(|entry| entry.failing.clone()),
        }
    }
}

impl Link {
    /// Whether calls can be sent without the risk that a failing start loses them. Calls during the
    /// first start of a server are sent and wait there: if it fails, their callers get the error,
    /// as the starter does.
    pub fn has_started(&self) -> bool {
        self.has_started.load(Ordering::Relaxed)
    }

    /// Waits until a restarted server has its tasks. If its start fails, the connection is lost,
    /// and an unsent call can be sent on the next one.
    ///
    /// # Errors
    /// [`CallError`]; [`ConnectError::Restarting`] if the time is over.
    pub fn await_start(self: &Arc<Self>, wait: &Wait<'_>) -> Result<(), CallError> {
        self.look_for_start(wait).map_err(|error| match error {
            CallError::Timeout { server, after, .. } => {
                ConnectError::Restarting { server, after, failing: None }.into()
            }
            error => error,
        })
    }

    fn look_for_start(self: &Arc<Self>, wait: &Wait<'_>) -> Result<(), CallError> {
        while !self.has_started() {
            if has_tasks(&self.status(wait)?) {
                self.has_started.store(true, Ordering::Relaxed);
                break;
            }
            let slice = wait.slice().ok_or_else(|| self.timed_out(wait, false))?;
            if wait.is_interrupted() {
                return Err(CallError::Interrupted);
            }
            thread::sleep(slice.min(POLL_EVERY));
        }
        Ok(())
    }
}

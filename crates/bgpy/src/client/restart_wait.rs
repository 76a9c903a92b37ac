//! Servers that have failed and are started again: who looks for one waits for it.

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

/// How long a server that is started again is waited for, unless the caller sets a limit.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a server that starts again is asked whether it has.
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// A caller's time for a server to come back.
pub(super) struct RestartWait<'a> {
    server: &'a str,
    wait: &'a Wait<'a>,
    since: Instant,
}

/// Whether a server that was started again has its tasks, so that calls can be sent.
pub(super) fn has_tasks(status: &Status) -> bool {
    status.state != State::Starting
}

/// What a caller does about servers that have no process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// Nothing: there is one to connect to, or none comes back.
    None,
    /// Wait so long, and look again.
    For(Duration),
    /// Give up: its time is over.
    Over,
}

/// Whether a call that waited for a start can be sent by the next connection: its own was lost before it was
/// sent, because that start has failed.
pub(super) fn may_go_elsewhere(error: &CallError, wait: &Wait<'_>) -> bool {
    matches!(error, CallError::Lost { .. }) && wait.slice().is_some()
}

/// Whether it is worth to look again, where a server is started again: one whose process has died while it
/// was being connected to comes back.
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

    /// As [`new`](Self::new), for one who has looked since a moment.
    pub(super) fn since(server: &'a str, wait: &'a Wait<'a>, since: Instant) -> Self {
        Self { server, wait, since }
    }

    /// Waits a slice of time if all servers that are meant wait themselves: nobody would answer. Returns
    /// whether there was something to wait for.
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

    /// What to do about servers of which each waits so long before it is tried to start it again, or does
    /// not wait.
    pub(super) fn pause(&self, pauses: impl Iterator<Item = Option<Duration>>) -> Pause {
        let pauses: Option<Vec<Duration>> = pauses.collect();
        let Some(pause) = pauses.and_then(|pauses| pauses.into_iter().min()) else {
            return Pause::None;
        };
        self.left().map_or(Pause::Over, |left| Pause::For(pause.min(left).min(SLICE)))
    }

    /// What is left of the caller's time.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.wait.left().unwrap_or(PATIENCE.saturating_sub(clock::since(self.since)));
        (!left.is_zero()).then_some(left)
    }

    /// The error for a server that did not answer in time, if that is because it has no process.
    pub(super) fn explain(&self, registry: &Registry, entries: &[Entry]) -> Option<ConnectError> {
        let known = entries.iter().filter_map(|entry| registry.entry(&entry.instance));
        let mut away = known.filter(|entry| entry.is_restarted() && entry.has_lost_process());
        away.next().map(|entry| self.failed(Some(&entry)))
    }

    fn failed(&self, entry: Option<&Entry>) -> ConnectError {
        ConnectError::Restarting {
            server: self.server.to_owned(),
            after: self.wait.limit().unwrap_or(PATIENCE),
            failing: entry.and_then(|entry| entry.failing.clone()),
        }
    }
}

impl Link {
    /// Whether a call can be sent that no failing start loses. One that comes while a server is started
    /// for the first time waits there, and is told if that fails, as the starter is.
    pub fn has_started(&self) -> bool {
        self.has_started.load(Ordering::Relaxed)
    }

    /// Waits until a server that is started again has its tasks. If that fails, the connection is lost, and
    /// a call that was not sent can be sent by the next one.
    ///
    /// # Errors
    /// [`CallError`]; it is [`ConnectError::Restarting`] when the time is over.
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
            thread::sleep(slice.min(LOOK));
        }
        Ok(())
    }
}

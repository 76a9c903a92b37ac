//! Servers that have failed and are started again: who looks for one waits for it.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use bgpy_proto::State;

use super::link::Link;
use super::wait::{SLICE, Wait};
use crate::error::{CallError, ConnectError};
use crate::registry::{Entry, Registry};

/// How long a server that is started again is waited for, unless the caller sets a limit.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a server that starts again is asked whether it has.
const LOOK: Duration = Duration::from_millis(10);

/// A caller's time for a server to come back.
pub(super) struct Comeback<'a> {
    server: &'a str,
    wait: &'a Wait<'a>,
    since: Instant,
}

impl<'a> Comeback<'a> {
    pub(super) fn new(server: &'a str, wait: &'a Wait<'a>) -> Self {
        Self { server, wait, since: Instant::now() }
    }

    /// Waits a slice of time if all servers that are meant wait themselves: nobody would answer. Returns
    /// whether there was something to wait for.
    pub(super) fn sit_out(&self, entries: &[Entry]) -> Result<bool, ConnectError> {
        let pauses: Option<Vec<Duration>> = entries.iter().map(Entry::pause).collect();
        let Some(pause) = pauses.and_then(|pauses| pauses.into_iter().min()) else {
            return Ok(false);
        };
        if self.wait.is_interrupted() {
            return Err(ConnectError::Interrupted);
        }
        let Some(left) = self.left() else { return Err(self.failed(entries.first())) };
        thread::sleep(pause.min(left).min(SLICE));
        Ok(true)
    }

    /// What is left of the caller's time.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.wait.left().unwrap_or(PATIENCE.saturating_sub(self.since.elapsed()));
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
    pub fn await_start(&self, wait: &Wait<'_>) -> Result<(), CallError> {
        self.look_for_start(wait).map_err(|error| match error {
            CallError::Timeout { server, after, .. } => {
                ConnectError::Restarting { server, after, failing: None }.into()
            }
            error => error,
        })
    }

    fn look_for_start(&self, wait: &Wait<'_>) -> Result<(), CallError> {
        while !self.has_started() {
            if self.status(wait)?.state != State::Starting {
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

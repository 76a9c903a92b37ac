//! How far a server has come: whether it has its tasks, and whether it still accepts calls.

use std::time::Instant;

use bgpy_proto::{CallKind, Failure, FailureCode, State};

use crate::clock;

/// What to do with a call whose turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Run its task.
    Task,
    /// Nothing to run: an INIT after the server was `already` initialized, or an EXIT of a server
    /// without tasks.
    Nothing { already: bool },
    /// Refuse it: the INIT it was queued behind has failed.
    Refusal,
    /// Refuse it: its caller's time is over.
    Expired,
    /// Drop it: its caller is gone.
    Gone,
}

/// Where a server is between its start and its end.
#[derive(Debug)]
pub(super) struct Lifecycle {
    is_starting: bool,
    initialized: bool,
    /// The accepted EXIT, by connection and id, and when it was.
    exit: Option<(usize, u64, Instant)>,
    /// The server was told to end: only `exit_task` still runs.
    stopping: bool,
}

impl Lifecycle {
    /// For a server that is starting.
    pub(super) fn new() -> Self {
        Self { is_starting: true, initialized: false, exit: None, stopping: false }
    }

    /// Ends the start.
    pub(super) fn started(&mut self, initialized: bool) {
        (self.is_starting, self.initialized) = (false, initialized);
    }

    /// Notes that an EXIT was accepted: no more calls are, from now on.
    pub(super) fn exit_accepted(&mut self, connection: usize, id: u64) {
        self.exit = Some((connection, id, clock::now()));
    }

    /// Notes how a call has ended.
    pub(super) fn finished(&mut self, kind: CallKind, succeeded: bool) {
        match kind {
            CallKind::Init => self.initialized |= succeeded,
            CallKind::Exec => {}
            CallKind::Exit => self.stopping = true,
        }
    }

    /// Notes that the server was told to end.
    pub(super) fn stop(&mut self) {
        self.stopping = true;
    }

    /// What to do with a call of this kind whose turn has come.
    pub(super) fn due(&self, kind: CallKind) -> Due {
        match kind {
            CallKind::Init if self.initialized => Due::Nothing { already: true },
            CallKind::Exec if !self.initialized => Due::Refusal,
            CallKind::Exit if !self.initialized => Due::Nothing { already: false },
            CallKind::Init | CallKind::Exec | CallKind::Exit => Due::Task,
        }
    }

    pub(super) fn is_starting(&self) -> bool {
        self.is_starting
    }

    /// Whether the server has its tasks.
    pub(super) fn is_initialized(&self) -> bool {
        self.initialized
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether an EXIT was accepted.
    pub(super) fn has_exit(&self) -> bool {
        self.exit.is_some()
    }

    /// When an EXIT was accepted.
    pub(super) fn exit_since(&self) -> Option<Instant> {
        self.exit.map(|(_, _, since)| since)
    }

    /// Whether this call is the accepted EXIT.
    pub(super) fn is_exit(&self, connection: usize, id: u64) -> bool {
        self.exit.is_some_and(|(on, known, _)| (on, known) == (connection, id))
    }

    /// Whether no more calls are accepted.
    pub(super) fn is_ending(&self) -> bool {
        self.exit.is_some() || self.stopping
    }

    /// The state to report, given whether a task runs.
    pub(super) fn state(&self, is_running: bool) -> State {
        if self.is_ending() {
            State::Stopping
        } else if self.is_starting {
            State::Starting
        } else if is_running {
            State::Busy
        } else if self.initialized {
            State::Ready
        } else {
            State::Uninitialized
        }
    }
}

pub(super) fn not_initialized() -> Failure {
    Failure::new(FailureCode::NotInitialized, "the server has no tasks yet")
}

pub(super) fn expired() -> Failure {
    Failure::new(FailureCode::Expired, "the deadline has passed before the call began")
}

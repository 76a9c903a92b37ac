//! Ends a server in an orderly way, with EXIT.

use std::sync::Arc;
use std::time::Duration;

use bgpy::duration::shown;
use bgpy::error::Lost;
use bgpy::registry::{Ending, Entry, Registry};
use bgpy::termination::{end_paused, end_phase, outcome, until_ended};
use bgpy::{CallError, CallKind, Client, Failure, FailureCode, Link, Target, Value, Wait, Want};

use super::advice;
use crate::exit::Exit;
use crate::output;

/// Why a server has not ended, or not in order.
#[derive(Debug)]
pub(crate) enum StopError {
    /// The call failed: the server may not have ended.
    Call(CallError),
    /// It will end, but not within the time limit.
    Slow { after: Duration, hindrance: String },
    /// It will end, but something still runs.
    Stopping(String),
    /// It has ended, but its `exit_task` failed.
    ExitTask(Failure),
    /// It has ended, but its process failed.
    Failed(Ending),
}

/// Stops a server, and waits until its process is gone if the registry knows it, which has `entry` for it.
pub(crate) fn stop_for_good(
    client: &Client,
    registry: &Registry,
    entry: Option<&Entry>,
    wait: &Wait<'_>,
) -> Result<(), StopError> {
    let target = entry.map_or_else(|| client.target().clone(), Entry::target);
    let _phase = end_phase(&target, entry.map(|entry| (registry, entry)), wait);
    let stopped = stop(client, entry, wait);
    let Some(entry) = entry else { return stopped };
    // A server whose exit_task failed ends nevertheless.
    if !matches!(stopped, Ok(()) | Err(StopError::ExitTask(_))) {
        return stopped;
    }
    if let Err(hindrance) = until_ended(registry, entry, wait) {
        // Time is left, so the user interrupted.
        if wait.slice().is_some() {
            return Err(StopError::Call(CallError::Interrupted));
        }
        return Err(StopError::Slow { after: wait.limit().unwrap_or_default(), hindrance });
    }
    stopped?;
    let ending = outcome(registry, entry, wait);
    ending.filter(|ending| !ending.orderly).map_or(Ok(()), |ending| Err(StopError::Failed(ending)))
}

/// Stops a server, unless it is stopping already, and waits until it takes no more calls. `entry` is its entry
/// in the registry, if it has one.
pub(crate) fn stop(
    client: &Client,
    entry: Option<&Entry>,
    wait: &Wait<'_>,
) -> Result<(), StopError> {
    let is_stopping = entry.is_some_and(|entry| entry.retired_ms.is_some());
    if is_stopping || end_paused(client.target(), wait) {
        return Ok(());
    }
    end(client, wait)
}

/// Sends EXIT and waits until the server has ended.
pub(crate) fn end(client: &Client, wait: &Wait<'_>) -> Result<(), StopError> {
    let link = client.link(wait).map_err(|error| StopError::Call(error.into()))?;
    let failure = send_exit(&link, wait)?;
    link.wait_closed(wait).map_err(StopError::after_acceptance)?;
    failure.map_or(Ok(()), |failure| Err(StopError::ExitTask(failure)))
}

/// Sends EXIT and waits for the end of `exit_task`; returns its failure.
fn send_exit(link: &Arc<Link>, wait: &Wait<'_>) -> Result<Option<Failure>, StopError> {
    let nothing = Value::Map(Vec::new()).encode().expect("an empty map is flat and short");
    let mut call = link
        .begin(CallKind::Exit, Want::All, &link.head(wait), nothing.into(), wait)
        .map_err(StopError::Call)?;
    loop {
        match call.next(wait) {
            // Responses of exit_task are for programs that expect them.
            Ok(Some(_)) => {}
            Ok(None) => return Ok(None),
            Err(CallError::Failed { failure, .. }) if failure.code == FailureCode::Stopping => {
                // Another client was faster.
                return Ok(None);
            }
            Err(CallError::Failed { failure, .. }) if failure.code != FailureCode::Overloaded => {
                return Ok(Some(*failure));
            }
            // For example, an exit_task that ends the process itself.
            Err(CallError::Lost { reason: Lost::Closed, .. }) => return Ok(None),
            Err(error) => return Err(StopError::after_acceptance(error)),
        }
    }
}

impl StopError {
    /// Unlike other calls, an accepted EXIT is not dropped when its caller gives up.
    fn after_acceptance(error: CallError) -> Self {
        match error {
            CallError::Timeout { after, accepted: true, .. } => {
                let hindrance =
                    "a task still runs; the server takes no more calls and ends afterwards".into();
                Self::Slow { after, hindrance }
            }
            error => Self::Call(error),
        }
    }

    /// Prints the problem, and returns the exit code.
    pub(crate) fn report(&self, server: &Target) -> Exit {
        output::error(self.text(server), self.exit())
    }

    pub(crate) fn text(&self, server: &Target) -> String {
        match self {
            Self::Call(error) => advice::call_error(error),
            Self::Slow { after, hindrance } => {
                format!("{server} has not ended within {}: {hindrance}", shown(*after))
            }
            Self::Stopping(hindrance) => format!("{server} is still stopping: {hindrance}"),
            Self::ExitTask(failure) => format!(
                "{server} has ended, but its exit_task failed: {failure}; the server's log has \
                 the traceback"
            ),
            Self::Failed(ending) => format!("{server} has ended, but failed: {ending}"),
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Call(error) => error.into(),
            Self::Slow { .. } | Self::Stopping(_) => Exit::TimedOut,
            Self::ExitTask(_) | Self::Failed(_) => Exit::Failed,
        }
    }
}

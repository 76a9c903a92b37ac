//! Ends a server in an orderly way, with EXIT.

use std::time::Duration;

use bgpy::error::Lost;
use bgpy::{CallError, CallKind, Client, Failure, FailureCode, Link, Target, Value, Wait, Want};

use crate::exit::Exit;
use crate::told;

/// Why a server did not end in order.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The call failed: the server may not have ended.
    Call(CallError),
    /// It will end, but a task still runs.
    Slow(Duration),
    /// It has ended, but its `exit_task` failed.
    ExitTask(Failure),
}

/// Sends EXIT and waits until the server has ended.
pub(crate) fn end(client: &Client, wait: &Wait<'_>) -> Result<(), Problem> {
    let link = client.link(wait).map_err(|error| Problem::Call(error.into()))?;
    let failure = send_exit(&link, wait)?;
    link.wait_closed(wait).map_err(Problem::after_acceptance)?;
    failure.map_or(Ok(()), |failure| Err(Problem::ExitTask(failure)))
}

/// Sends EXIT and waits for the end of `exit_task`; returns its failure.
fn send_exit(link: &Link, wait: &Wait<'_>) -> Result<Option<Failure>, Problem> {
    let nothing = Value::Map(Vec::new()).encode().expect("an empty map is flat and short");
    let mut call =
        link.begin(CallKind::Exit, Want::All, nothing.into(), wait).map_err(Problem::Call)?;
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
            Err(error) => return Err(Problem::after_acceptance(error)),
        }
    }
}

impl Problem {
    /// Unlike other calls, an accepted EXIT is not dropped when its caller gives up.
    fn after_acceptance(error: CallError) -> Self {
        match error {
            CallError::Timeout { after, accepted: true, .. } => Self::Slow(after),
            error => Self::Call(error),
        }
    }

    pub(crate) fn text(&self, server: &Target) -> String {
        match self {
            Self::Call(error) => told::call_error(error),
            Self::Slow(after) => format!(
                "{server} has not ended within {} s: a task still runs; the server takes no more \
                 calls and ends afterwards",
                after.as_secs_f64()
            ),
            Self::ExitTask(failure) => format!(
                "{server} has ended, but its exit_task failed: {failure}; the server's log has \
                 the traceback"
            ),
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Call(error) => error.into(),
            Self::Slow(_) => Exit::TimedOut,
            Self::ExitTask(_) => Exit::Failed,
        }
    }
}

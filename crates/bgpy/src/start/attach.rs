//! Starting a server with a name, or attaching to the one that has it.

use std::time::{Duration, Instant};

use bgpy_proto::State;

use super::background::{self, Background};
use crate::client::{ClientOptions, connect_to};
use crate::config::Config;
use crate::error::{CallError, ConnectError, FailureKind, StartError};
use crate::name::Name;
use crate::registry::{Entry, Registry};
use crate::wait::Wait;

/// How often a server started by another process is checked.
const LOOK: Duration = Duration::from_millis(10);

/// How long a name may be taken without a server showing up.
const UNSEEN: Duration = Duration::from_secs(30);

/// A running server.
#[derive(Debug)]
pub enum Started {
    /// Started by this call.
    Here(Background),
    /// Already running, or started by a faster process.
    Attached(Box<Entry>),
}

/// Returns the ready server with this name, starting one if there is none. Of many simultaneous
/// callers exactly one starts a server.
///
/// # Errors
/// [`StartError`], as for [`background::start`].
pub fn start_or_attach(
    name: &Name,
    config: &Config,
    wait: &Wait<'_>,
) -> Result<Started, StartError> {
    // An unusable registry is reported by the server itself.
    let registry = Registry::of_user().ok();
    let registry = registry.filter(|registry| registry.prepare().is_ok());
    let mut seen = Instant::now();
    loop {
        match find(registry.as_ref(), name, wait)? {
            Found::Ready(entry) => return Ok(Started::Attached(entry)),
            Found::Starting => seen = Instant::now(),
            Found::Nobody => {
                // One caller at a time may start the server: the others need not start an
                // interpreter each.
                let turn = registry.as_ref().map(|registry| registry.claim_start(name));
                if !matches!(turn, Some(Ok(None))) {
                    let started = background::start(config.clone(), wait);
                    if let Some(Ok(Some(turn))) = turn {
                        turn.release();
                    }
                    match started {
                        Err(StartError::Reported { kind: FailureKind::NameTaken, .. })
                            if seen.elapsed() < UNSEEN => {}
                        started => return started.map(Started::Here),
                    }
                }
            }
        }
        let slice = wait.slice().ok_or_else(|| timed_out(wait))?;
        std::thread::sleep(slice.min(LOOK));
        if wait.is_interrupted() {
            return Err(StartError::Interrupted);
        }
    }
}

enum Found {
    Ready(Box<Entry>),
    Starting,
    Nobody,
}

fn find(registry: Option<&Registry>, name: &Name, wait: &Wait<'_>) -> Result<Found, StartError> {
    let known = registry.map_or(Ok(Vec::new()), |registry| registry.named(name));
    let what = "whether a server has the name is not known";
    for mut entry in known.map_err(|source| StartError::System { what, source })? {
        if registry.is_some_and(|registry| registry.mark_dead(&mut entry)) {
            continue;
        }
        if entry.pause().is_some() {
            return Ok(Found::Starting);
        }
        let asked = connect_to(&entry, &ClientOptions::default(), wait)
            .map_err(CallError::from)
            .and_then(|link| link.status(wait));
        match asked {
            Ok(status) if status.state == State::Starting => {
                if entry.process.pid == std::process::id() {
                    return Err(waits_for_itself(name));
                }
                return Ok(Found::Starting);
            }
            Ok(status) if status.state == State::Stopping => {}
            Ok(_) => return Ok(Found::Ready(entry.into())),
            Err(CallError::Interrupted | CallError::Connect(ConnectError::Interrupted)) => {
                return Err(StartError::Interrupted);
            }
            Err(CallError::Timeout { .. } | CallError::Connect(ConnectError::Timeout { .. })) => {
                return Err(timed_out(wait));
            }
            // The server has died or is about to end.
            Err(_) => {}
        }
    }
    Ok(Found::Nobody)
}

fn waits_for_itself(name: &Name) -> StartError {
    StartError::Reported {
        kind: FailureKind::WouldDeadlock,
        message: format!(
            "the server named '{name}' is this very process, which is not ready before its tasks are: give the \
             other server another name"
        ),
    }
}

fn timed_out(wait: &Wait<'_>) -> StartError {
    StartError::Timeout { after: wait.limit().unwrap_or_default(), output: String::new() }
}

//! Shutting a server down, and waiting for its process.

use crate::registry::{Ending, Registry};
use crate::survey::look_up;
use crate::target::Target;
use crate::termination::{end_phase, outcome, until_ended};
use crate::wait::Wait;

/// Ends a server with `end`, and waits until its process is gone if that is known, which it is for
/// this user's servers on this machine. Returns how the server ended, if that is known.
///
/// # Errors
/// That of `end`, with what the process waits for if the time is over.
pub fn see_out<E>(
    target: &Target,
    wait: &Wait<'_>,
    end: impl FnOnce(&Wait<'_>) -> Result<(), E>,
) -> Result<Result<Option<Ending>, String>, E> {
    let registry = Registry::of_user().ok();
    // Looked up first, because afterwards the target may mean its successor.
    let known = registry.as_ref().map_or(Ok(None), |all| look_up(all, target, wait));
    let found = known.as_ref().ok().and_then(Option::as_ref).filter(|info| !info.has_ended());
    let found = found.map(|info| &info.entry);
    let _phase = end_phase(target, registry.as_ref().zip(found), wait);
    end(wait)?;
    let known = match known {
        Ok(known) => registry.zip(known.filter(|info| !info.has_ended())),
        Err(error) => {
            let text = format!("it takes no more calls, but its process is unknown: {error}");
            return Ok(Err(text));
        }
    };
    Ok(known.map_or(Ok(None), |(all, info)| {
        until_ended(&all, &info.entry, wait).map(|()| outcome(&all, &info.entry, wait))
    }))
}

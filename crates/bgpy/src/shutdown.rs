//! Shutting a server down, and waiting for its process.

use crate::ending::{outcome, until_ended};
use crate::registry::{Ending, Registry};
use crate::survey::look_up;
use crate::target::Target;
use crate::wait::Wait;

/// Has the server that a target means `end`, and waits until its process is gone where that is known:
/// where it is a server of this user on this machine. Returns how it has ended, if that is known.
///
/// # Errors
/// That of `end`; in it, what the process waits for when the time is over.
pub fn see_out<E>(
    target: &Target,
    wait: &Wait<'_>,
    end: impl FnOnce(&Wait<'_>) -> Result<(), E>,
) -> Result<Result<Option<Ending>, String>, E> {
    let registry = Registry::of_user().ok();
    // Looked up before, because afterwards it may have a successor.
    let known = registry.as_ref().map_or(Ok(None), |all| look_up(all, target, wait));
    end(wait)?;
    let known = match known {
        Ok(known) => registry.zip(known.filter(|info| !info.has_ended())),
        Err(error) => {
            let text =
                format!("it takes no more calls, but which process it has is unknown: {error}");
            return Ok(Err(text));
        }
    };
    Ok(known.map_or(Ok(None), |(all, info)| {
        until_ended(&all, &info.entry, wait).map(|()| outcome(&all, &info.entry, wait))
    }))
}

//! A server in the foreground that is started again by its own process.

use std::env;
use std::io;
use std::process::{Child, Command, ExitStatus};

use crate::name::Name;
use crate::platform::{self, ProcessId};
use crate::registry::{Claim, Registry};

/// Names the descriptor of the claim in the program that takes the place of this process.
const CLAIM: &str = "BGPY_START_CLAIM";

/// Replaces this process by a program that starts a server, for which clients wait if there is a claim.
/// Returns only if that fails.
pub fn exec(mut command: Command, claim: Option<&Claim>) -> io::Error {
    if let Some(descriptor) = claim.and_then(|claim| platform::hand_on(claim.file()).ok()) {
        command.env(CLAIM, descriptor.to_string());
    }
    note_ends();
    platform::exec(command)
}

/// Records that the servers of this process have ended, because the next program has the same process.
fn note_ends() {
    let Ok(registry) = Registry::of_user() else { return };
    let own = ProcessId::own();
    for entry in registry.ended().unwrap_or_default() {
        if entry.process == own && !entry.is_over() {
            registry.note_exit(&entry.instance, ExitStatus::default(), None);
        }
    }
}

/// Starts a command that is to replace this process's own server, and so outlives it.
///
/// # Errors
/// The system's error.
pub fn spawn_apart(command: &mut Command) -> io::Result<Child> {
    platform::set_apart(command);
    command.spawn()
}

/// The claim that the program before this one has handed on. It is held until the server is ready.
pub fn handed_on(name: &Name) -> Option<Claim> {
    let descriptor = env::var(CLAIM).ok()?.parse().ok()?;
    let file = platform::take_inherited(descriptor).ok()?;
    Some(Registry::of_user().ok()?.inherited_start(name, file.into()))
}

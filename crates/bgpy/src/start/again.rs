//! A server that is started again when its files change: in the foreground by its own process, in the
//! background by `bgpy restart`.

use std::env;
use std::io;
use std::process::{Child, Command, ExitStatus};

use crate::name::Name;
use crate::platform::{self, ProcessId};
use crate::registry::{Claim, Registry};

/// Names the descriptor of the claim in the program that takes the place of this process.
const CLAIM: &str = "BGPY_START_CLAIM";

/// Names the port that the server of this process had.
const PORT: &str = "BGPY_START_PORT";

/// Says that a server is started because its files have changed.
const CHANGED: &str = "BGPY_START_CHANGED";

/// The environment variables by which one program tells the next.
pub const VARIABLES: [&str; 3] = [CLAIM, PORT, CHANGED];

/// The kind of a failed start after which the files of the tasks have changed once more.
pub const CHANGED_AGAIN: &str = "changed";

/// Tells `bgpy restart`, and the server that it starts, that files have changed: if the tasks fail,
/// that server waits for the next change.
pub fn note_change(command: &mut Command) {
    command.env(CHANGED, "1");
}

/// Whether this process was started because files have changed.
pub fn is_after_change() -> bool {
    env::var_os(CHANGED).is_some()
}

/// Replaces this process by a program that starts a server, for which clients wait if there is a claim.
/// It listens on the port of before, if it has a choice. Returns only if that fails.
pub fn exec(mut command: Command, claim: Option<&Claim>, port: Option<u16>) -> io::Error {
    command.env_remove(CLAIM).env_remove(PORT).env_remove(CHANGED);
    if let Some(descriptor) = claim.and_then(|claim| platform::hand_on(claim.file()).ok()) {
        command.env(CLAIM, descriptor.to_string());
    }
    if let Some(port) = port {
        command.env(PORT, port.to_string());
    }
    note_ends();
    platform::exec(command)
}

/// The port of the server that the program before this one was.
pub fn port_before() -> Option<u16> {
    env::var(PORT).ok()?.parse().ok()
}

/// Records that the servers of this process have ended, because the next program has the same process.
pub fn note_ends() {
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

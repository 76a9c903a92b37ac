//! The command `bgpy`.
//!
//! Owns the arguments, the words for people and the exit codes. It knows nothing of Python: a
//! server runs behind the [`Interpreter`] trait, which the Python extension implements in process;
//! the [`native`] program starts an interpreter instead and leaves the command to it.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod arguments;
mod commands;
mod exit;
pub mod native;
mod output;
mod terminal;
mod token;

use std::ffi::OsString;

use bgpy::spawn::Config;

pub use exit::Exit;
pub use output::error;

use self::arguments::Command;
use self::commands::server::Server;

/// The Python around the command.
pub trait Interpreter {
    /// Runs a server in the foreground until it ends, and returns the exit code; [`Exit`] has those
    /// for the errors of this crate's world.
    fn serve(&self, config: Config) -> u8;

    /// Whether the user wants to stop, by Ctrl-C for example. Asked a few times a second while a
    /// command waits; a signal that it reports is dealt with and does not come again.
    fn interrupted(&self) -> bool;
}

/// Runs the command with its arguments, the first of which is the program's name, and returns the
/// exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>, interpreter: &dyn Interpreter) -> u8 {
    let arguments: Vec<_> = arguments.into_iter().collect();
    dispatch(&arguments, &|| interpreter.interrupted(), |server| server.run(interpreter))
}

fn dispatch(
    arguments: &[OsString],
    interrupted: &dyn Fn() -> bool,
    serve: impl FnOnce(Server) -> u8,
) -> u8 {
    match arguments::parse(arguments) {
        Ok(Command::Server(server)) => serve(server),
        Ok(Command::Terminate(terminate)) => terminate.run(interrupted).code(),
        Ok(Command::Version) => commands::version::run().code(),
        Err(exit) => exit.code(),
    }
}

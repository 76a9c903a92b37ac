//! The command `bgpy`.
//!
//! Owns the arguments, the messages and the exit codes. It knows nothing of Python: servers run behind
//! the [`Interpreter`] trait, which the Python extension implements in process; the [`native`] program
//! starts an interpreter and hands the command over to it.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod arguments;
mod commands;
mod connect;
mod duration;
mod exit;
pub mod native;
mod output;
#[cfg(test)]
mod pages;
mod platform;
mod server_settings;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bgpy::Delivered;
use bgpy::config::Config;
use clap::CommandFactory;
use clap_complete::CompleteEnv;

pub use exit::Exit;
pub use output::error;
pub use output::table::Table;
pub use output::view::servers_table;
pub use server_settings::launch;

use self::arguments::{Arguments, Command};
use self::commands::completions;
use self::commands::run::Run;
use self::commands::server::Server;
use self::output::terminal;

/// How an answer is written that only Python can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// JSON.
    Json,
    /// Python's repr.
    Repr,
}

/// The Python interpreter that the command runs in.
pub trait Interpreter {
    /// Runs a server in the foreground until it ends, and returns the exit code; [`Exit`] maps the errors
    /// of `bgpy` to codes.
    fn serve(&self, config: Config) -> u8;

    /// Sets environment variables, for this process and in `os.environ`.
    fn set_environment(&self, variables: &[(String, String)]);

    /// The interpreter's executable, which runs servers in the background.
    ///
    /// # Errors
    /// Why there is none.
    fn program(&self) -> Result<PathBuf, String>;

    /// A message as text; it is unpickled only if that is allowed.
    ///
    /// # Errors
    /// Why it cannot be shown.
    fn show(
        &self,
        message: Delivered,
        notation: Notation,
        allow_pickle: bool,
    ) -> Result<String, String>;

    /// Whether the user has interrupted the command, with Ctrl-C for example. Polled a few times a second
    /// while a command waits; each signal is reported once.
    fn interrupted(&self) -> bool;
}

/// What commands need from Python, whether or not they run in the same process.
pub(crate) struct World<'a> {
    pub(crate) interrupted: &'a dyn Fn() -> bool,
    program: &'a dyn Fn() -> Result<PathBuf, String>,
    show: &'a dyn Fn(Delivered, Notation, bool) -> Result<String, String>,
}

impl World<'_> {
    /// The interpreter for a background server: the one that the user chose, if any.
    fn program(&self, wanted: Option<&Path>) -> Result<PathBuf, String> {
        wanted.map_or_else(self.program, |program| Ok(program.to_owned()))
    }

    fn show(
        &self,
        message: Delivered,
        notation: Notation,
        allow_pickle: bool,
    ) -> Result<String, String> {
        (self.show)(message, notation, allow_pickle)
    }
}

/// A command that becomes a server.
enum Foreground {
    Server(Server),
    Run(Box<Run>),
}

/// Runs the command and returns the exit code. The first argument is the name of the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>, interpreter: &dyn Interpreter) -> u8 {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let world = World {
        interrupted: &|| interpreter.interrupted(),
        program: &|| interpreter.program(),
        show: &|message, notation, allow_pickle| interpreter.show(message, notation, allow_pickle),
    };
    dispatch(&arguments, &world, |foreground| match foreground {
        Foreground::Server(server) => server.run(interpreter),
        Foreground::Run(run) => run.run(interpreter),
    })
}

fn dispatch(
    arguments: &[OsString],
    world: &World<'_>,
    serve: impl FnOnce(Foreground) -> Result<u8, Exit>,
) -> u8 {
    bgpy::supervisor::keep_children();
    let completed = CompleteEnv::with_factory(Arguments::command)
        .var(completions::VARIABLE)
        .try_complete(arguments.iter().cloned(), None);
    match completed {
        Ok(true) => return Exit::Done.code(),
        Ok(false) => {}
        Err(error) => return output::error(error.to_string().trim_end(), Exit::Failed).code(),
    }
    let command = match arguments::parse(arguments) {
        Ok(command) => command,
        Err(exit) => return finish(Err(exit)),
    };
    match &command {
        Command::Run(_) | Command::Server(_) => terminal::terminate_with_it(),
        // It watches the terminal itself, once it has handlers that restore it.
        Command::Top(_) => {}
        _ => terminal::end_with_it(),
    }
    let serve = |foreground| terminal::code(serve(foreground).unwrap_or_else(Exit::code));
    finish(match command {
        Command::Server(server) => return serve(Foreground::Server(server)),
        Command::Run(run) => return serve(Foreground::Run(run.into())),
        Command::Call(call) => call.run(world),
        Command::Completions(completions) => completions.run(),
        Command::Doctor(doctor) => doctor.run(world),
        Command::Kill(kill) => kill.run(world),
        Command::Logs(logs) => logs.run(world),
        Command::Ping(ping) => ping.run(world),
        Command::Ps(ps) => ps.run(world),
        Command::Restart(restart) => restart.run(world),
        Command::Start(start) => start.run(world),
        Command::Status(status) => status.run(world),
        Command::Stop(stop) => stop.run(world),
        Command::Systemd(systemd) => systemd.run(world),
        Command::Terminate(terminate) => terminate.run(world),
        Command::Token(tokens) => tokens.run(),
        Command::Top(top) => top.run(world),
        Command::Version => commands::version::run(),
        Command::Wait(wait) => wait.run(world),
    })
}

/// The exit code for the outcome of a command.
fn finish(outcome: Result<(), Exit>) -> u8 {
    let exit = outcome.err().unwrap_or(Exit::Done);
    terminal::code(output::finish(exit).code())
}

//! The command `bgpy`.
//!
//! Owns the arguments, the messages and the exit codes. It knows nothing of Python: servers run behind
//! the [`Interpreter`] trait, which the Python extension implements in process; the [`native`] program
//! starts an interpreter and hands the command over to it.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod arguments;
mod commands;
mod connect;
mod exit;
mod interpreter;
pub mod native;
mod origin;
mod output;
#[cfg(test)]
mod pages;
mod platform;
mod server_settings;
mod service;

use std::ffi::OsString;

use bgpy::notices::Notices;
use clap::CommandFactory;
use clap_complete::CompleteEnv;

pub use connect::advice::serve_error;
pub use exit::Exit;
pub use interpreter::{Interpreter, Notation};
pub use output::error;
pub use output::table::Table;
pub use output::view::{servers_table, status_rows};
pub use server_settings::launch;

use self::arguments::{Arguments, Command};
use self::commands::completions;
use self::commands::run::Run;
use self::commands::server::Server;
use self::connect::completion;
use self::interpreter::Context;
use self::output::terminal;

/// A command that becomes a server.
enum Foreground {
    Server(Server),
    Run(Box<Run>),
}

/// Runs the command and returns the exit code. The first argument is the name of the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>, interpreter: &dyn Interpreter) -> u8 {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let context = Context {
        interrupted: &|| interpreter.interrupted(),
        program: &|| interpreter.program(),
        show: &|message, notation, allow_pickle| interpreter.show(message, notation, allow_pickle),
        notices: &Notices::new(&|text| output::note(text)),
    };
    dispatch(&arguments, &context, |foreground| match foreground {
        Foreground::Server(server) => server.run(interpreter),
        Foreground::Run(run) => run.run(interpreter),
    })
}

fn dispatch(
    arguments: &[OsString],
    context: &Context<'_>,
    serve: impl FnOnce(Foreground) -> Result<u8, Exit>,
) -> u8 {
    bgpy::supervisor::keep_children();
    completion::note(arguments);
    if completions::complete_class_in_bash(arguments) {
        return Exit::Done.code();
    }
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
        Command::Attach(attach) => attach.run(context),
        Command::Call(call) => call.run(context),
        Command::Cancel(cancel) => cancel.run(context),
        Command::Completions(completions) => completions.run(),
        Command::Doctor(doctor) => doctor.run(context),
        Command::Dump(dump) => dump.run(context),
        Command::Kill(kill) => kill.run(context),
        Command::Logs(logs) => logs.run(context),
        Command::Methods(methods) => methods.run(context),
        Command::Submit(submit) => submit.run(context),
        Command::Jobs(jobs) => jobs.run(context),
        Command::Result(result) => result.run(context),
        Command::Ping(ping) => ping.run(context),
        Command::Ps(ps) => ps.run(context),
        Command::Restart(restart) => restart.run(context),
        Command::Start(start) => start.run(context),
        Command::Status(status) => status.run(context),
        Command::Stop(stop) => stop.run(context),
        Command::Stubs(stubs) => stubs.run(context),
        Command::Systemd(systemd) => systemd.run(context),
        Command::Terminate(terminate) => terminate.run(context),
        Command::Token(tokens) => tokens.run(),
        Command::Top(top) => top.run(context),
        Command::Version(version) => version.run(),
        Command::Wait(wait) => wait.run(context),
    })
}

/// The exit code for the outcome of a command.
fn finish(outcome: Result<(), Exit>) -> u8 {
    let exit = outcome.err().unwrap_or(Exit::Done);
    terminal::code(output::finish(exit).code())
}

//! The command without an interpreter around it: a server is left to one that it finds.

mod search;

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use self::search::{Environment, find};
use crate::exit::Exit;
use crate::{dispatch, output};

/// Runs the command as [`run`](crate::run) does, but for `server`: its arguments go as they are,
/// once they are known to be right, to `python -m bgpy`. Does not return then where a process can
/// become another program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<_> = arguments.into_iter().collect();
    // Ctrl-C ends this process by itself.
    dispatch(&arguments, &|| false, |_| hand_over(&arguments).code())
}

/// Lets an interpreter run the command; returns only when there is none.
fn hand_over(arguments: &[OsString]) -> Exit {
    let environment = Environment {
        setting: env::var_os("BGPY_PYTHON"),
        executable: env::current_exe().ok(),
        virtual_env: env::var_os("VIRTUAL_ENV"),
        path: env::var_os("PATH"),
        is_executable: &is_executable,
    };
    match find(&environment) {
        Ok(python) => {
            let mut command = Command::new(&python);
            command.args(["-m", "bgpy"]).args(arguments.get(1..).unwrap_or_default());
            become_command(command, &python)
        }
        Err(error) => output::error(error, Exit::Failed),
    }
}

/// The same process goes on as the interpreter, so that signals and the terminal reach it.
#[cfg(unix)]
fn become_command(mut command: Command, python: &Path) -> Exit {
    use std::os::unix::process::CommandExt;

    cannot_start(python, &command.exec())
}

#[cfg(not(unix))]
fn become_command(mut command: Command, python: &Path) -> Exit {
    match command.status() {
        // Some other exit code is passed on as it is, which only the end of this process can do.
        Ok(status) => std::process::exit(status.code().unwrap_or(i32::from(Exit::Failed.code()))),
        Err(error) => cannot_start(python, &error),
    }
}

fn cannot_start(python: &Path, error: &std::io::Error) -> Exit {
    let python = python.display();
    output::error(
        format_args!("cannot start '{python}': {error}; set BGPY_PYTHON to another interpreter"),
        Exit::Failed,
    )
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use rustix::fs::{Access, access};

    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

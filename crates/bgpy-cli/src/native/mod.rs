//! The command outside an interpreter: it finds one, and hands servers over to it.

mod search;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bgpy::Delivered;
use bgpy::notices::Notices;

use self::search::{Environment, NotFound, find};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::{Foreground, Notation, dispatch, output, platform};

/// Runs the command like [`run`](crate::run), except that a command that becomes a server is handed over to
/// `python -m bgpy` with its arguments unchanged, once they have been checked. Then it does not return on
/// systems where a process can become another program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let context = Context {
        // Ctrl-C ends this process.
        interrupted: &|| false,
        program: &|| interpreter().map_err(|error| error.to_string()),
        show: &show,
        notices: &Notices::new(&|text| output::note(text)),
    };
    dispatch(&arguments, &context, |foreground| {
        let wanted = match foreground {
            Foreground::Run(run) if run.is_supervisor() => {
                let wanted = run.settings.python.clone();
                return run.supervise(context.program(wanted.as_deref()));
            }
            Foreground::Run(run) => run.settings.python,
            Foreground::Server(_) => None,
        };
        Err(hand_over(wanted, &arguments))
    })
}

fn interpreter() -> Result<PathBuf, NotFound> {
    find(&Environment {
        setting: env::var_os("BGPY_PYTHON"),
        executable: env::current_exe().ok().or_else(as_called),
        virtual_env: env::var_os("VIRTUAL_ENV"),
        path: env::var_os("PATH"),
        is_executable: &platform::is_executable,
        has_bgpy: &has_bgpy,
    })
}

/// Whether bgpy is installed in a virtual environment.
fn has_bgpy(environment: &Path) -> bool {
    let installed = |packages: PathBuf| {
        let mut found = packages.read_dir().into_iter().flatten().flatten();
        // The package itself, or the record of an editable installation.
        found.any(|item| item.file_name().to_string_lossy().starts_with("bgpy"))
    };
    platform::site_packages(environment).into_iter().any(installed)
}

/// The path of this program by the name it was called with, where the system cannot tell (without /proc).
fn as_called() -> Option<PathBuf> {
    let name = PathBuf::from(env::args_os().next()?);
    let path = if name.components().count() > 1 {
        name
    } else {
        let path = env::var_os("PATH")?;
        env::split_paths(&path)
            .map(|place| place.join(&name))
            .find(|path| platform::is_executable(path))?
    };
    // It may be a link into the directory of the interpreter.
    path.canonicalize().ok()
}

/// Lets an interpreter run the command; returns only if there is none.
fn hand_over(wanted: Option<PathBuf>, arguments: &[OsString]) -> Exit {
    match wanted.map_or_else(interpreter, Ok) {
        Ok(python) => {
            let mut command = Command::new(&python);
            // -P keeps files of the working directory from shadowing bgpy or modules of Python.
            command.args(["-P", "-m", "bgpy"]).args(arguments.get(1..).unwrap_or_default());
            cannot_start(&python, &platform::become_command(command))
        }
        Err(error) => output::error(error, Exit::Failed),
    }
}

/// The exit code of `bgpy._show` when it prints why it cannot show the message.
const REFUSED: i32 = 3;

/// Lets an interpreter print a message.
fn show(message: Delivered, notation: Notation, allow_pickle: bool) -> Result<String, String> {
    let python = interpreter().map_err(|error| error.to_string())?;
    let cannot = |error: &dyn std::fmt::Display| {
        format!("'{}' cannot show the answer: {error}", python.display())
    };
    let mut child = Command::new(&python)
        .args(["-P", "-m", "bgpy._show"])
        .args((!allow_pickle).then_some("--no-pickle"))
        .args((notation == Notation::Json).then_some("--json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| cannot(&error))?;
    let input = child.stdin.take().expect("it was piped");
    let written = bgpy::durable::message_file::write(input, &message);
    let output = child.wait_with_output().map_err(|error| cannot(&error))?;
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    if output.status.code() == Some(REFUSED) {
        return Err(text);
    }
    if !output.status.success() {
        return Err(cannot(&output.status));
    }
    written.map_err(|error| cannot(&error))?;
    Ok(text)
}

fn cannot_start(python: &Path, error: &std::io::Error) -> Exit {
    let python = python.display();
    output::error(
        format_args!("cannot start '{python}': {error}; set BGPY_PYTHON to another interpreter"),
        Exit::Failed,
    )
}

/// Ends the process at once, without running exit handlers.
pub fn exit_now(code: u8) -> ! {
    platform::exit_now(code.into())
}

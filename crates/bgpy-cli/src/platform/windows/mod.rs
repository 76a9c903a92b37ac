//! Windows. It has been run on Wine only.

mod job;
mod signals;
pub(crate) mod terminal;

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) use signals::{Interrupts, Signals};

use crate::exit::Exit;

/// Whether servers may listen on Unix sockets.
pub(crate) const HAS_UNIX_SOCKETS: bool = false;

/// File names of an interpreter.
pub(crate) const PYTHON_NAMES: &[&str] = &["python.exe"];

/// The directory of programs in a virtual environment.
pub(crate) const VIRTUAL_ENV_PROGRAMS: &str = "Scripts";

/// The file name of this command.
pub(crate) const PROGRAM: &str = "bgpy.exe";

/// The directories in which the interpreter may be that a program was installed with: beside it in a
/// virtual environment, above it otherwise.
pub(crate) fn interpreter_directories(programs: &Path) -> Vec<PathBuf> {
    let is_below = programs.file_name().is_some_and(|name| name.eq_ignore_ascii_case("Scripts"));
    let above = programs.parent().filter(|_| is_below);
    [Some(programs), above].into_iter().flatten().map(Path::to_owned).collect()
}

/// Not asked for.
pub(crate) fn kernel_release() -> Option<String> {
    None
}

/// Ends the process at once.
pub(crate) fn exit_now(code: i32) -> ! {
    std::process::exit(code)
}

/// Runs a command in place of this process, in the same console, and ends with its exit code. Returns only
/// if it cannot be started. The command ends with this process.
pub(crate) fn become_command(mut command: Command) -> io::Error {
    // They concern the command, which gets them as well.
    signals::ignore();
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return error,
    };
    let _job = job::tie(&child);
    match child.wait() {
        // Any exit code is passed on, which needs the end of this process.
        Ok(status) => std::process::exit(status.code().unwrap_or(i32::from(Exit::Failed.code()))),
        Err(error) => error,
    }
}

/// Whether a file is there; the system decides by its name whether it is a program.
pub(crate) fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// Whether this user may create files in a directory.
pub(crate) fn is_writable(directory: &Path) -> bool {
    let path = directory.join(format!("bgpy-{}.tmp", std::process::id()));
    File::create_new(&path).is_ok_and(|file| {
        drop(file);
        fs::remove_file(path).is_ok()
    })
}

/// Not known.
pub(crate) fn other_owner(_about: &Metadata) -> Option<u32> {
    None
}

/// There are no modes.
pub(crate) fn access_mode(_about: &Metadata) -> Option<u32> {
    None
}

/// A word as `cmd` and programs take it literally.
pub(crate) fn shell_quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\\\""))
}

/// The directories of installed packages of a virtual environment.
pub(crate) fn site_packages(environment: &Path) -> Vec<PathBuf> {
    vec![environment.join("Lib").join("site-packages")]
}

//! Windows. Not run so far.

mod signals;
pub(crate) mod terminal;

use std::fs::{self, Metadata};
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

pub(crate) fn exit_now(code: i32) -> ! {
    std::process::exit(code)
}

/// Runs a command in place of this process, and ends with its exit code. Returns only if it cannot be
/// started.
pub(crate) fn become_command(mut command: Command) -> io::Error {
    match command.status() {
        // Any exit code is passed on, which needs the end of this process.
        Ok(status) => std::process::exit(status.code().unwrap_or(i32::from(Exit::Failed.code()))),
        Err(error) => error,
    }
}

pub(crate) fn is_executable(path: &Path) -> bool {
    path.is_file()
}

pub(crate) fn is_writable(directory: &Path) -> bool {
    fs::metadata(directory).is_ok_and(|about| !about.permissions().readonly())
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

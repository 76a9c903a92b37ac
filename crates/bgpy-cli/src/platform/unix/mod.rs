//! Unix.

mod signals;
pub(crate) mod terminal;

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Access, access};

pub(crate) use signals::{Interrupts, Signals};

/// Whether servers may listen on Unix sockets.
pub(crate) const HAS_UNIX_SOCKETS: bool = true;

/// File names of an interpreter, in the order in which they are tried.
pub(crate) const PYTHON_NAMES: &[&str] = &["python3", "python"];

/// The directory of programs in a virtual environment.
pub(crate) const VIRTUAL_ENV_PROGRAMS: &str = "bin";

/// The directories in which the interpreter may be that a program was installed with.
pub(crate) fn interpreter_directories(programs: &Path) -> Vec<PathBuf> {
    vec![programs.to_owned()]
}

/// The file name of this command.
pub(crate) const PROGRAM: &str = "bgpy";

/// The release of the kernel.
pub(crate) fn kernel_release() -> Option<String> {
    Some(rustix::system::uname().release().to_string_lossy().into_owned())
}

/// Ends the process at once, without running exit handlers.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: it accepts any code, does not return, and runs no code of this process.
    unsafe { libc::_exit(code) }
}

/// Replaces this process with a command, which therefore gets its signals and its terminal. Returns only if
/// that fails.
pub(crate) fn become_command(mut command: Command) -> io::Error {
    command.exec()
}

/// Whether this user may run a program.
pub(crate) fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// Whether this user may create files in a directory.
pub(crate) fn is_writable(directory: &Path) -> bool {
    access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// The owner of a file, if that is another user.
pub(crate) fn other_owner(about: &Metadata) -> Option<u32> {
    Some(about.uid()).filter(|owner| *owner != rustix::process::geteuid().as_raw())
}

/// The access mode of a file.
pub(crate) fn access_mode(about: &Metadata) -> Option<u32> {
    Some(about.mode() & 0o777)
}

/// A word as the shell takes it literally.
pub(crate) fn shell_quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The directories of installed packages of a virtual environment: one for each version of Python.
pub(crate) fn site_packages(environment: &Path) -> Vec<PathBuf> {
    let versions = environment.join("lib").read_dir().into_iter().flatten().flatten();
    versions.map(|version| version.path().join("site-packages")).collect()
}

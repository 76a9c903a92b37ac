//! What the command needs from Python, whether or not it runs in the same process.

use std::path::{Path, PathBuf};

use bgpy::Delivered;
use bgpy::config::Config;
use bgpy::notices::Notices;

#[cfg(doc)]
use crate::Exit;

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
pub(crate) struct Context<'a> {
    pub(crate) interrupted: &'a dyn Fn() -> bool,
    pub(crate) program: &'a dyn Fn() -> Result<PathBuf, String>,
    pub(crate) show: &'a dyn Fn(Delivered, Notation, bool) -> Result<String, String>,
    /// Where a command tells what it waits for.
    pub(crate) notices: &'a Notices<'a>,
}

impl Context<'_> {
    /// The interpreter for a background server: the one that the user chose, if any.
    pub(crate) fn program(&self, wanted: Option<&Path>) -> Result<PathBuf, String> {
        wanted.map_or_else(self.program, |program| Ok(program.to_owned()))
    }

    pub(crate) fn show(
        &self,
        message: Delivered,
        notation: Notation,
        allow_pickle: bool,
    ) -> Result<String, String> {
        (self.show)(message, notation, allow_pickle)
    }
}

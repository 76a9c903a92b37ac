//! The terminal: its width, whether it is still there, and input without echo.

use std::env;
use std::io;

use crate::platform::terminal;
pub(crate) use crate::platform::terminal::{
    code, end_with_it, is_gone, is_piped, terminate_with_it,
};

/// The width in characters, if standard output is a terminal.
pub(crate) fn width() -> Option<usize> {
    terminal::columns(&io::stdout()).filter(|columns| *columns > 0)
}

/// The width in characters, if standard error is a terminal.
pub(crate) fn width_for_messages() -> Option<usize> {
    terminal::columns(&io::stderr()).filter(|columns| *columns > 0)
}

/// Whether the terminal, if there is one, cannot move its cursor.
pub(crate) fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Prints `prompt` and reads a line without echo; empty at the end of the input.
///
/// # Errors
/// [`io::ErrorKind::Interrupted`] for Ctrl-C, else the error of the operating system.
pub(crate) fn read_hidden(prompt: &str) -> io::Result<String> {
    match terminal::read_hidden(prompt) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(String::new()),
        result => result,
    }
}

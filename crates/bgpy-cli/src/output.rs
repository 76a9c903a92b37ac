//! What the command says: data on standard output, words for people on standard error. A reader
//! that has gone is no reason to fail, so that errors of writing are dropped.

use std::fmt::Display;
use std::io::{self, Write};

use crate::exit::Exit;

/// Writes a line that a script may read.
pub(crate) fn data(line: impl Display) {
    drop(writeln!(io::stdout(), "{line}"));
}

/// Writes a line for people.
pub(crate) fn note(line: impl Display) {
    drop(writeln!(io::stderr(), "{line}"));
}

/// Says that something is dangerous.
pub(crate) fn warning(text: impl Display) {
    note(format_args!("warning: {text}"));
}

/// Says what failed, and passes on how the command ends.
pub fn error(text: impl Display, exit: Exit) -> Exit {
    note(format_args!("error: {text}"));
    exit
}

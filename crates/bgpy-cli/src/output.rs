//! What the command says: data on standard output, words for people on standard error. A reader
//! that has gone is no reason to fail, so that errors of writing are dropped.

use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use bgpy::address::Address;
use clap::{Args, ValueEnum};

use crate::exit::Exit;
use crate::terminal;

/// How data are written.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Output {
    /// How to print what a script may read
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,

    #[command(flatten)]
    pub(crate) colors: Colors,
}

/// Whether what is shown has colors.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Colors {
    /// Whether to print in color: "auto" does on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: When,
}

/// For whom data are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// When something is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// Where it makes sense
    #[default]
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

impl Output {
    /// Whether programs are meant to read it.
    pub(crate) fn is_json(self) -> bool {
        self.output == Format::Json
    }

    /// Whether there are colors.
    pub(crate) fn is_colored(self) -> bool {
        self.colors.are_wanted()
    }

    /// How many characters a line has, on a terminal.
    pub(crate) fn width(self) -> Option<usize> {
        terminal::width()
    }
}

impl Colors {
    /// Whether there are colors.
    pub(crate) fn are_wanted(self) -> bool {
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
                let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
                io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb
            }
        }
    }
}

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
/// Warns of a server that lets everybody in.
pub(crate) fn no_authentication(address: &Address) {
    warning(format_args!(
        "no authentication: whoever can connect to {address}, every user of this machine at least, \
         can run any code as you"
    ));
}

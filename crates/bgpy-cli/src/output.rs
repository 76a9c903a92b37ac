//! What the command says: data on standard output, words for people on standard error.
//!
//! Everything that is printed goes through here. On a terminal, what others have said is escaped;
//! elsewhere it stays as it is. Data that cannot be written make the command fail, unless their reader
//! has gone, which has seen enough.

use std::borrow::Cow;
use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use bgpy::address::Address;
use bgpy::escape;
use clap::{Args, ValueEnum};

use crate::closed::is_closed;
use crate::exit::Exit;
use crate::terminal;

/// Why data could not be written, until [`finish`] tells.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// What the command has done whether or not its data could be written.
static ACHIEVED: Mutex<Option<String>> = Mutex::new(None);

/// How data are written.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Output {
    /// Output format
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
    styled(shown(&line.to_string()));
}

/// Writes a line in which what others have said is [escaped](shown) already.
pub(crate) fn styled(line: impl Display) {
    written(writeln!(io::stdout(), "{line}"));
}

/// What others have said, as standard output may show it beside the command's own colors.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if io::stdout().is_terminal() { escape::text(text) } else { Cow::Borrowed(text) }
}

/// Standard output, for text that comes in pieces.
pub(crate) struct Pieces {
    /// What escapes it, on a terminal.
    stream: Option<escape::Stream>,
}

impl Pieces {
    pub(crate) fn new() -> Self {
        Self { stream: io::stdout().is_terminal().then(escape::Stream::default) }
    }

    /// Writes a piece; `false` when nobody gets to see more.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        let shown = self.stream.as_mut().map(|stream| stream.feed(bytes));
        whole(shown.as_deref().map_or(bytes, str::as_bytes))
    }

    /// Writes what was kept until its end would come.
    pub(crate) fn finish(self) {
        if let Some(stream) = self.stream {
            whole(stream.finish().as_bytes());
        }
    }
}

fn whole(bytes: &[u8]) -> bool {
    let mut output = io::stdout().lock();
    written(output.write_all(bytes).and_then(|()| output.flush()))
}

/// Keeps in mind that data could not be written; `false` when they could not.
pub(crate) fn written(result: io::Result<()>) -> bool {
    let closed = || io::Error::other("it is closed");
    let result = result.and_then(|()| if is_closed() { Err(closed()) } else { Ok(()) });
    let Err(error) = result else { return true };
    *FAILED.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    false
}

/// Keeps in mind what the command has done, to be told if its data could not be written.
pub(crate) fn achieved(text: String) {
    *ACHIEVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
}

/// How the command ends after all: it has failed if its data could not be written.
pub(crate) fn finish(exit: Exit) -> Exit {
    if let Err(error) = io::stdout().flush() {
        written(Err(error));
    }
    let failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner).take();
    match failed.filter(|failed| failed.kind() != io::ErrorKind::BrokenPipe) {
        None => exit,
        Some(failed) => {
            let achieved = ACHIEVED.lock().unwrap_or_else(PoisonError::into_inner).take();
            let achieved = achieved.map(|text| format!(". All the same, {text}"));
            let achieved = achieved.unwrap_or_default();
            let text = format_args!("cannot write to standard output: {failed}{achieved}");
            error(text, if exit == Exit::Done { Exit::Failed } else { exit })
        }
    }
}

/// Writes a line for people.
pub(crate) fn note(line: impl Display) {
    let line = line.to_string();
    let line = if io::stderr().is_terminal() { escape::text(&line) } else { Cow::Borrowed(&*line) };
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
/// Warns of a server that lets everybody in. Where other machines reach it, it does not start, which says
/// enough.
pub(crate) fn no_authentication(address: &Address) {
    let is_exposed = |address: &SocketAddr| !address.ip().is_loopback();
    if address.resolve().is_ok_and(|addresses| addresses.iter().any(is_exposed)) {
        return;
    }
    warning(format_args!(
        "no authentication: whoever can connect to {address}, every user of this machine at least, \
         can run any code as you"
    ));
}

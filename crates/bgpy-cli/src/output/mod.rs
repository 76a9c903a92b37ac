//! Printing: data goes to standard output, messages for people go to standard error.
//!
//! Everything that the command prints goes through here. Text that comes from elsewhere is escaped on a
//! terminal and unchanged otherwise. If data cannot be written, the command fails, unless the reader has
//! closed the pipe.

pub(crate) mod big_integer;
mod closed;
pub(crate) mod fit;
pub(crate) mod json;
pub(crate) mod live_bar;
mod paint;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod view;

use std::borrow::Cow;
use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use bgpy::address::Address;
use bgpy::escape;
use clap::{Args, ValueEnum};

use self::closed::is_closed;
use self::paint::RecordPainter;
use crate::exit::Exit;

/// Why data could not be written; [`finish`] reports it.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// What the command has done, even if its data could not be written.
static ACHIEVED: Mutex<Option<String>> = Mutex::new(None);

/// How data is printed.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Output {
    #[command(flatten)]
    pub(crate) form: Form,

    #[command(flatten)]
    pub(crate) colors: Colors,
}

/// The form of data, for commands that print none in color.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Form {
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// Whether to print in color.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Colors {
    /// When to print in color
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: When,
}

/// The format of data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// for people
    #[default]
    Text,
    /// for scripts
    Json,
}

/// When to print in color.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// on a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// also in files and pipes
    Always,
    /// no color
    Never,
}

impl Form {
    /// Whether it is JSON.
    pub(crate) fn is_json(self) -> bool {
        self.output == Format::Json
    }
}

impl Output {
    /// Whether the format is JSON.
    pub(crate) fn is_json(self) -> bool {
        self.form.is_json()
    }

    /// Whether to print in color.
    pub(crate) fn is_colored(self) -> bool {
        self.colors.are_wanted()
    }

    /// The width of the terminal, in characters.
    pub(crate) fn width(self) -> Option<usize> {
        terminal::width()
    }
}

impl Colors {
    /// Whether to print data in color.
    pub(crate) fn are_wanted(self) -> bool {
        self.are_wanted_on(&io::stdout())
    }

    /// Whether to print messages in color.
    pub(crate) fn are_wanted_for_messages(self) -> bool {
        self.are_wanted_on(&io::stderr())
    }

    fn are_wanted_on(self, stream: &impl IsTerminal) -> bool {
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
                stream.is_terminal() && !is_set("NO_COLOR") && !terminal::is_dumb()
            }
        }
    }
}

/// Prints a line of data.
pub(crate) fn data(line: impl Display) {
    styled(shown(&line.to_string()));
}

/// Prints a value as JSON.
pub(crate) fn json(value: &serde_json::Value) {
    data(format_args!("{value:#}"));
}

/// Prints a value as a line of JSON at once; `false` if standard output takes no more.
pub(crate) fn json_line(value: &serde_json::Value) -> bool {
    let line = format!("{}\n", shown(&value.to_string()));
    write_all(line.as_bytes())
}

/// Prints JSON from elsewhere as it is, in color if wanted; `false` if standard output takes no more.
pub(crate) fn json_text(text: &str, colored: bool) -> bool {
    let text = shown(text);
    if colored { styled(paint::json(&text)) } else { styled(text) }
}

/// Prints a line of data that is [escaped](shown) already; `false` if standard output takes no more.
pub(crate) fn styled(line: impl Display) -> bool {
    written(writeln!(io::stdout(), "{line}"))
}

/// Text from elsewhere, escaped if standard output is a terminal; the command's own colors are added later.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if io::stdout().is_terminal() { escape::text(text) } else { Cow::Borrowed(text) }
}

/// Standard output for text that arrives in pieces.
pub(crate) struct Pieces {
    /// Escapes the text, on a terminal.
    escaper: Option<escape::Escaper>,
    /// Colors the records in it, if wanted.
    painter: Option<RecordPainter>,
}

impl Pieces {
    /// For text without records.
    pub(crate) fn plain() -> Self {
        Self::of_log(false)
    }

    /// For a log, with its records in color if wanted.
    pub(crate) fn of_log(colored: bool) -> Self {
        Self {
            escaper: io::stdout().is_terminal().then(escape::Escaper::default),
            painter: colored.then(RecordPainter::new),
        }
    }

    /// Writes a piece; `false` if standard output takes no more.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        let shown = self.escaper.as_mut().map(|escaper| escaper.feed(bytes));
        let shown = shown.as_deref().map_or(bytes, str::as_bytes);
        match &mut self.painter {
            Some(painter) => write_all(&painter.feed(shown)),
            None => write_all(shown),
        }
    }

    /// Writes what was held back because it might continue.
    pub(crate) fn finish(mut self) {
        if let Some(escaper) = self.escaper.take() {
            self.write(escaper.finish().as_bytes());
        }
        if let Some(painter) = self.painter {
            write_all(&painter.finish());
        }
    }
}

fn write_all(bytes: &[u8]) -> bool {
    let mut output = io::stdout().lock();
    written(output.write_all(bytes).and_then(|()| output.flush()))
}

/// Remembers a failure to write data; `false` if there was one.
pub(crate) fn written(result: io::Result<()>) -> bool {
    let closed = || io::Error::other("it is closed");
    let result = result.and_then(|()| if is_closed() { Err(closed()) } else { Ok(()) });
    let Err(error) = result else { return true };
    *FAILED.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    false
}

/// Remembers what the command has done, to be reported if its data cannot be written.
pub(crate) fn achieved(text: String) {
    *ACHIEVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
}

/// The final exit code: a failure if data could not be written.
pub(crate) fn finish(exit: Exit) -> Exit {
    if let Err(error) = io::stdout().flush() {
        written(Err(error));
    }
    let failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner).take();
    match failed.filter(|failed| failed.kind() != io::ErrorKind::BrokenPipe) {
        None => exit,
        Some(failed) => {
            let achieved = ACHIEVED.lock().unwrap_or_else(PoisonError::into_inner).take();
            let achieved = achieved.map(|text| format!("; nevertheless, {text}"));
            let achieved = achieved.unwrap_or_default();
            let text = format_args!("cannot write to standard output: {failed}{achieved}");
            error(text, if exit == Exit::Done { Exit::Failed } else { exit })
        }
    }
}

/// Prints a message for people.
pub(crate) fn note(line: impl Display) {
    drop(writeln!(io::stderr(), "{}", message(&line.to_string())));
}

/// Prints a traceback from elsewhere, in color if wanted.
pub(crate) fn traceback(text: &str, colored: bool) {
    let text = message(text.trim_end());
    let text = if colored { paint::traceback(&text).into() } else { text };
    drop(writeln!(io::stderr(), "{text}"));
}

/// Text from elsewhere, escaped if standard error is a terminal.
fn message(text: &str) -> Cow<'_, str> {
    if io::stderr().is_terminal() { escape::text(text) } else { Cow::Borrowed(text) }
}

/// Prints a warning.
pub(crate) fn warning(text: impl Display) {
    note(format_args!("warning: {text}"));
}

/// Prints an error, and returns the exit code that it was given.
pub fn error(text: impl Display, exit: Exit) -> Exit {
    note(format_args!("error: {text}"));
    exit
}

/// Warns that a server runs without authentication. Nothing is printed for an address that other machines
/// can reach: the server refuses to start there, and says why.
pub(crate) fn no_authentication(address: &Address) {
    let is_exposed = |address: &SocketAddr| !address.ip().is_loopback();
    if address.resolve().is_ok_and(|addresses| addresses.iter().any(is_exposed)) {
        return;
    }
    warning(format_args!(
        "no authentication: anyone who can connect to {address}, including every user of this machine, \
         can run any code as you"
    ));
}

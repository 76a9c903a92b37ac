//! Lines from the user: edited on a terminal, or read as they are.

use std::borrow::Cow;
use std::io::{self, IsTerminal};

use bgpy::escape;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::exit::Exit;
use crate::output;

/// Where lines come from.
pub(super) enum Lines {
    Terminal(Box<DefaultEditor>),
    Input,
}

/// What the user has entered.
pub(super) enum Line {
    Read(String),
    /// Ctrl-C.
    Dropped,
    /// Ctrl-D, or the end of the input.
    End,
}

impl Lines {
    pub(super) fn open() -> Result<Self, Exit> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Ok(Self::Input);
        }
        let editor = DefaultEditor::new().map_err(|error| unreadable(&error))?;
        Ok(Self::Terminal(Box::new(editor)))
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// Reads a line, with a prompt on a terminal.
    pub(super) fn read(&mut self, prompt: &str) -> Result<Line, Exit> {
        let Self::Terminal(editor) = self else { return read_plain() };
        let prompt: Cow<'_, str> = escape::line(prompt);
        match editor.readline(&*prompt) {
            Ok(line) => {
                // A history that takes no more is no reason to stop.
                drop(editor.add_history_entry(&line));
                Ok(Line::Read(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Line::Dropped),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(error) => Err(unreadable(&error)),
        }
    }
}

fn read_plain() -> Result<Line, Exit> {
    let mut line = String::new();
    match io::stdin().read_line(&mut line) {
        Ok(0) => Ok(Line::End),
        Ok(_) => Ok(Line::Read(line.trim_end_matches(['\r', '\n']).to_owned())),
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &dyn std::fmt::Display) -> Exit {
    output::error(format_args!("cannot read from standard input: {error}"), Exit::Failed)
}

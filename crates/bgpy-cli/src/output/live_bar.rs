//! Progress on standard error while the command waits: one line, which is drawn again and again, and erased at the
//! end. Nothing is drawn unless standard error is a terminal.

use std::io::{self, Write};

use bgpy::Progress;

use super::{progress, terminal};

/// Goes to the beginning of the line.
const RETURN: &str = "\r";

/// Erases the rest of the line.
const ERASE: &str = "\x1b[K";

/// Columns that stay free, lest the cursor moves to the next line: the last one, and two for the `^C` with which the
/// terminal shows Ctrl-C.
const MARGIN: usize = 3;

/// The line with the progress.
#[derive(Debug)]
pub(crate) struct LiveBar {
    is_wanted: bool,
    is_drawn: bool,
}

impl LiveBar {
    pub(crate) fn new() -> Self {
        let is_wanted = terminal::width_for_messages().is_some() && !terminal::is_dumb();
        Self { is_wanted, is_drawn: false }
    }

    /// Whether there is anywhere to draw it.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    pub(crate) fn draw(&mut self, told: &Progress) {
        let Some(width) = terminal::width_for_messages().filter(|_| self.is_wanted) else { return };
        let line = progress::line(told, width.saturating_sub(MARGIN), 0);
        drop(write!(io::stderr(), "{RETURN}{line}{ERASE}"));
        self.is_drawn = true;
    }

    /// Erases it for good.
    pub(crate) fn stop(&mut self) {
        self.erase();
        self.is_wanted = false;
    }

    /// Erases it, so that something else can be printed.
    pub(crate) fn erase(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            drop(write!(io::stderr(), "{RETURN}{ERASE}"));
        }
    }
}

impl Drop for LiveBar {
    fn drop(&mut self) {
        self.erase();
    }
}

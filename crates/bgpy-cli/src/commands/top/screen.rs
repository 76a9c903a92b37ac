//! The terminal in full-screen mode, restored afterwards.

use std::io;

use ratatui::DefaultTerminal;
use ratatui::crossterm::style::force_color_output;

use super::draw::draw;
use super::state::State;

/// Full-screen mode until this is dropped. A panic restores the terminal as well, before its message is
/// printed.
pub(super) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    pub(super) fn open(colored: bool) -> io::Result<Self> {
        // The choice of colors is made; crossterm would check NO_COLOR again.
        force_color_output(colored);
        // It may fail halfway.
        let terminal = ratatui::try_init().inspect_err(|_| ratatui::restore())?;
        Ok(Self { terminal })
    }

    pub(super) fn draw(&mut self, state: &State) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame, state)).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // If the terminal is gone, there is nothing to restore.
        drop(self.terminal.show_cursor());
        drop(ratatui::try_restore());
    }
}

//! The whole terminal as a screen, given back as it was.

use std::io;

use ratatui::DefaultTerminal;
use ratatui::crossterm::style::force_color_output;

use super::draw::draw;
use super::state::State;

/// The terminal in the hands of this program until it is dropped. A panic gives it back as well, before
/// its message is shown.
pub(super) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    pub(super) fn open(colored: bool) -> io::Result<Self> {
        // Whether there are colors has been decided; crossterm would look at NO_COLOR once more.
        force_color_output(colored);
        // Half of it may have been done when it fails.
        let terminal = ratatui::try_init().inspect_err(|_| ratatui::restore())?;
        Ok(Self { terminal })
    }

    pub(super) fn draw(&mut self, state: &State) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame, state)).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone, and then it needs nothing.
        drop(self.terminal.show_cursor());
        drop(ratatui::try_restore());
    }
}

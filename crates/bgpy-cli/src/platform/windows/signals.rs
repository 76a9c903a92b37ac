//! There are no signals; Ctrl-C is a key.

use std::io;

pub(crate) struct Signals;

impl Signals {
    pub(crate) fn watch() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn has_come(&self) -> bool {
        false
    }

    pub(crate) fn pass_on(self) -> io::Result<()> {
        Ok(())
    }
}

/// Ctrl-C ends the command.
pub(crate) struct Interrupts;

impl Interrupts {
    pub(crate) fn watch() -> Self {
        Self
    }

    pub(crate) fn watch_impatiently() -> Self {
        Self
    }

    pub(crate) fn have_come(&self) -> bool {
        false
    }

    /// An interpreter around the command records it.
    pub(crate) fn have_come_or(&self, recorded: bool) -> bool {
        recorded
    }

    pub(crate) fn pass_on(self) {}
}

//! Signals that are not to end the process at once: all of them until the terminal is restored, or Ctrl-C alone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// Records signals until this is dropped.
pub(crate) struct Signals {
    last: Arc<AtomicUsize>,
    registrations: Vec<SigId>,
}

impl Signals {
    pub(crate) fn watch() -> io::Result<Self> {
        let mut signals = Self { last: Arc::default(), registrations: Vec::new() };
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            let number = usize::try_from(signal).unwrap_or_default();
            let id = flag::register_usize(signal, Arc::clone(&signals.last), number)?;
            signals.registrations.push(id);
        }
        Ok(signals)
    }

    /// Whether a signal has arrived.
    pub(crate) fn has_come(&self) -> bool {
        self.last.load(Ordering::Relaxed) != 0
    }

    /// Lets the signal that arrived end the process, as it would have by default.
    pub(crate) fn pass_on(self) -> io::Result<()> {
        match i32::try_from(self.last.load(Ordering::Relaxed)) {
            Ok(signal) if signal != 0 => low_level::emulate_default_handler(signal),
            _ => Ok(()),
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registrations.drain(..) {
            low_level::unregister(id);
        }
    }
}

/// Records Ctrl-C until this is dropped.
pub(crate) struct Interrupts {
    has_come: Arc<AtomicBool>,
    registration: Option<SigId>,
}

impl Interrupts {
    pub(crate) fn watch() -> Self {
        let has_come = Arc::new(AtomicBool::new(false));
        // Without it, Ctrl-C ends the command.
        let registration = flag::register(SIGINT, has_come.clone()).ok();
        Self { has_come, registration }
    }

    /// Whether it has come since this was asked last.
    pub(crate) fn have_come(&self) -> bool {
        self.has_come.swap(false, Ordering::Relaxed)
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.registration.take().map(low_level::unregister);
    }
}

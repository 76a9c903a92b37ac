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
    registrations: Vec<SigId>,
    before: Disposition,
}

/// What a signal does to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disposition {
    Default,
    Ignored,
    Handled,
}

impl Disposition {
    fn of(signal: i32) -> Self {
        // SAFETY: no handler is changed, and the action is initialized before it is read.
        let action = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &raw mut action);
            action
        };
        match action.sa_sigaction {
            libc::SIG_DFL => Self::Default,
            libc::SIG_IGN => Self::Ignored,
            _ => Self::Handled,
        }
    }
}

impl Interrupts {
    pub(crate) fn watch() -> Self {
        let (has_come, before) = (Arc::default(), Disposition::of(SIGINT));
        // Without it, Ctrl-C ends the command.
        let registrations = flag::register(SIGINT, Arc::clone(&has_come)).into_iter().collect();
        Self { has_come, registrations, before }
    }

    /// Like [`watch`](Self::watch), but Ctrl-C ends the process while an earlier one has not been noticed, as when
    /// nobody reads its output. In a shell's background, where Ctrl-C is ignored, it stays so.
    pub(crate) fn watch_impatiently() -> Self {
        let (has_come, before) = (Arc::default(), Disposition::of(SIGINT));
        let mut registrations = Vec::new();
        if before != Disposition::Ignored {
            // They run in this order.
            let ends = flag::register_conditional_default(SIGINT, Arc::clone(&has_come));
            let records = flag::register(SIGINT, Arc::clone(&has_come));
            registrations.extend(ends.into_iter().chain(records));
        }
        Self { has_come, registrations, before }
    }

    /// Whether it has come since this was asked last.
    pub(crate) fn have_come(&self) -> bool {
        self.has_come.swap(false, Ordering::Relaxed)
    }

    /// Whether it has come since this was asked last. An interpreter around the command records it, too, and is asked
    /// only where this does not.
    pub(crate) fn have_come_or(&self, recorded: bool) -> bool {
        if self.registrations.is_empty() { recorded } else { self.have_come() }
    }

    /// Ends the process as Ctrl-C would have ended it without this: a shell ends its loop only if the command in it
    /// dies of the signal. Does nothing in an interpreter, which has a handler of its own.
    pub(crate) fn pass_on(self) {
        if self.before == Disposition::Default {
            // If that fails, the exit code tells the same.
            let _ = low_level::emulate_default_handler(SIGINT);
        }
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        for id in self.registrations.drain(..) {
            low_level::unregister(id);
        }
    }
}

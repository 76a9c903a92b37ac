//! Ctrl-C and Ctrl-Break, which the system reports on a thread of its own.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use windows_sys::Win32::Foundation::STATUS_CONTROL_C_EXIT;
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};

/// Whether one has come since this was asked last.
static HAS_COME: AtomicBool = AtomicBool::new(false);

/// Which of them do not end the process.
static HELD: AtomicU8 = AtomicU8::new(0);

const CTRL_C: u8 = 1;
const CTRL_BREAK: u8 = 2;

/// Records Ctrl-C and Ctrl-Break until this is dropped.
pub(crate) struct Signals(Held);

impl Signals {
    pub(crate) fn watch() -> io::Result<Self> {
        Ok(Self(Held::new(CTRL_C | CTRL_BREAK)?))
    }

    /// Whether one has come.
    pub(crate) fn has_come(&self) -> bool {
        HAS_COME.load(Ordering::Relaxed)
    }

    /// Lets what has come end the process, as it would have by default.
    pub(crate) fn pass_on(self) -> io::Result<()> {
        if self.has_come() {
            drop(self.0);
            std::process::exit(STATUS_CONTROL_C_EXIT);
        }
        Ok(())
    }
}

/// Records Ctrl-C until this is dropped.
pub(crate) struct Interrupts(#[expect(dead_code, reason = "it is dropped")] Option<Held>);

impl Interrupts {
    pub(crate) fn watch() -> Self {
        // Without it, Ctrl-C ends the command.
        Self(Held::new(CTRL_C).ok())
    }

    /// Records Ctrl-C, however often it comes; elsewhere the second ends the command.
    pub(crate) fn watch_impatiently() -> Self {
        Self::watch()
    }

    /// Whether it has come since this was asked last.
    pub(crate) fn have_come(&self) -> bool {
        HAS_COME.swap(false, Ordering::Relaxed)
    }

    /// An interpreter around the command records it.
    pub(crate) fn have_come_or(&self, recorded: bool) -> bool {
        recorded
    }

    pub(crate) fn pass_on(self) {}
}

/// Leaves both to another process in the same console, for good.
pub(super) fn ignore() {
    // Without it, they end this process, and the other one with it.
    if let Ok(held) = Held::new(CTRL_C | CTRL_BREAK) {
        std::mem::forget(held);
    }
}

/// Keeps them from ending the process until this is dropped.
struct Held;

impl Held {
    fn new(which: u8) -> io::Result<Self> {
        HAS_COME.store(false, Ordering::Relaxed);
        HELD.store(which, Ordering::Relaxed);
        // SAFETY: the function may be called at any time, on any thread.
        match unsafe { SetConsoleCtrlHandler(Some(note), 1) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(Self),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: it was installed.
        unsafe { SetConsoleCtrlHandler(Some(note), 0) };
    }
}

/// Notes that one has come; returns whether that was all.
unsafe extern "system" fn note(event: u32) -> i32 {
    let which = match event {
        CTRL_C_EVENT => CTRL_C,
        CTRL_BREAK_EVENT => CTRL_BREAK,
        _ => 0,
    };
    let is_held = HELD.load(Ordering::Relaxed) & which != 0;
    if is_held {
        HAS_COME.store(true, Ordering::Relaxed);
    }
    i32::from(is_held)
}

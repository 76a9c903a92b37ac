//! Whether standard output was closed when the program started. Before `main`, the standard library opens
//! `/dev/null` in place of a closed descriptor, so data would be lost without an error.

use std::sync::atomic::{AtomicBool, Ordering};

static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether data written to standard output is lost.
pub(crate) fn is_closed() -> bool {
    WAS_CLOSED.load(Ordering::Relaxed)
}

/// Runs before the standard library replaces closed descriptors.
#[cfg(target_os = "linux")]
#[used]
// SAFETY: the section holds addresses of functions of this type, which the loader calls.
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

#[cfg(target_os = "linux")]
extern "C" fn look() {
    // SAFETY: F_GETFD only reads the flags of a descriptor, and fails if it is closed.
    if unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } == -1 {
        WAS_CLOSED.store(true, Ordering::Relaxed);
    }
}

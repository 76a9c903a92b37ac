//! Whether standard output was closed when the program began. The standard library puts `/dev/null` in
//! the place of a closed descriptor before `main`, so that what is written is lost without an error.

use std::sync::atomic::{AtomicBool, Ordering};

static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether nobody gets what is written to standard output.
pub(crate) fn is_closed() -> bool {
    WAS_CLOSED.load(Ordering::Relaxed)
}

/// Runs before the standard library has looked at the descriptors.
#[cfg(target_os = "linux")]
#[used]
// SAFETY: the section holds addresses of functions of this type, which the loader calls.
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

#[cfg(target_os = "linux")]
extern "C" fn look() {
    // SAFETY: it asks for the flags of a descriptor, which may be none.
    if unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } == -1 {
        WAS_CLOSED.store(true, Ordering::Relaxed);
    }
}

//! Forked processes, for executors whose tasks may fork.

mod per_process;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::platform;

pub use crate::platform::SignalsBefore;
pub(crate) use per_process::PerProcess;

static OWN_GENERATION: AtomicU32 = AtomicU32::new(0);

/// Whether a task or a script has forked this process from another one. The fork that divides a
/// server from its supervisor does not count: users see both as one server.
pub fn is_forked() -> bool {
    platform::fork_generation() > OWN_GENERATION.load(Ordering::Relaxed)
}

/// Makes this process count as not forked.
pub(crate) fn be_original() {
    OWN_GENERATION.store(platform::fork_generation(), Ordering::Relaxed);
}

/// A number that differs between a process and its forked children.
pub fn generation() -> u32 {
    platform::fork_generation()
}

/// Ends a child forked by a task at once: no exit hooks of its parent run.
pub fn exit_child(code: i32) -> ! {
    platform::exit_now(code)
}

/// Notes that one server handles signals no more, whose handlers were
/// [guarded](SignalsBefore::guard). The handlers from before it are in place again, and write to
/// `wake_up`, or to nothing if it is -1.
pub fn release_signals(wake_up: i32) {
    platform::release_signals(wake_up);
}

/// Blocks all signals on this thread until [`unblock_signals`]. Must be called once before each
/// fork of which the child restores its handlers by itself.
pub fn block_signals() {
    platform::block_signals();
}

/// Restores the signal mask from before [`block_signals`], on the thread that called it or in the
/// child it has forked. Does nothing on any other thread.
pub fn unblock_signals() {
    platform::unblock_signals();
}

//! Forked processes, for executors whose tasks may fork.

mod per_process;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::platform;

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

/// Blocks all signals on this thread until [`unblock_signals`]. Must be called once before each
/// fork.
pub fn block_signals() {
    platform::block_signals();
}

/// Restores the signal mask from before [`block_signals`], on the thread that called it or in the
/// child it has forked. Does nothing on any other thread.
pub fn unblock_signals() {
    platform::unblock_signals();
}

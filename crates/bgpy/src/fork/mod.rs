//! What a process is that was forked from another one, for executors whose tasks may fork.

mod per_process;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::platform;

pub(crate) use per_process::PerProcess;

static OWN_GENERATION: AtomicU32 = AtomicU32::new(0);

/// Whether this process is a copy of another one, which a task or a script has made. The fork that divides a
/// server from its supervisor does not count: nobody knows another process of that server.
pub fn is_forked() -> bool {
    platform::fork_generation() > OWN_GENERATION.load(Ordering::Relaxed)
}

/// Lets this process count as no copy.
#[cfg(unix)]
pub(crate) fn be_original() {
    OWN_GENERATION.store(platform::fork_generation(), Ordering::Relaxed);
}

/// A number that differs between a process and its forked children.
pub fn generation() -> u32 {
    platform::fork_generation()
}

/// Ends a child that a task has forked, at once: nothing of its parent runs in it.
pub fn exit_child(code: i32) -> ! {
    platform::exit_now(code)
}

/// Blocks all signals of this thread until [`unblock_signals`]. To be called once before each fork.
pub fn block_signals() {
    platform::block_signals();
}

/// Restores the signal mask of before [`block_signals`], on the thread that called it or in the child that it
/// has forked. Does nothing on any other thread.
pub fn unblock_signals() {
    platform::unblock_signals();
}

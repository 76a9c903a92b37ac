//! What a process knows of its segments, and what a fork does to them.
//!
//! Objects in segments are like all others after a fork: parent and child go on with a copy of
//! their own.

use std::cell::UnsafeCell;
use std::sync::{Arc, Mutex, MutexGuard, Once};

use super::lease::Made;
use crate::sync::lock;

static PROCESS: Mutex<Process> = Mutex::new(Process { leased: Vec::new() });

/// The lock on it while a fork is under way, so that the child finds it free.
static HELD: Held = Held(UnsafeCell::new(None));

pub(super) struct Process {
    /// Segments that objects lie in.
    pub(super) leased: Vec<Arc<Made>>,
}

struct Held(UnsafeCell<Option<MutexGuard<'static, Process>>>);

// SAFETY: only whoever has the lock touches the cell.
unsafe impl Sync for Held {}

/// What this process knows. No other lock may be taken while it is held.
pub(super) fn process() -> MutexGuard<'static, Process> {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        // SAFETY: the handlers only use the lock, the memory that it guards, and system calls.
        let failed = unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after)) };
        assert_eq!(failed, 0, "there is memory for one fork handler");
    });
    lock(&PROCESS)
}

extern "C" fn before() {
    let process = lock(&PROCESS);
    process.leased.iter().for_each(|made| made.part());
    // SAFETY: this thread has the lock.
    unsafe { *HELD.0.get() = Some(process) };
}

extern "C" fn after() {
    // SAFETY: the thread that forks has the lock, in the parent as in the child.
    drop(unsafe { (*HELD.0.get()).take() });
}

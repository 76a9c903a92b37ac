//! All leased segments of this process, and what a fork does to them.
//!
//! Objects in segments behave like all others in a fork: parent and child each continue with a
//! copy.

use std::sync::{Arc, MutexGuard};

use super::lease::Made;
use crate::platform::{self, ForkHooks, ForkLock};
use crate::sync::ForkMutex;

static PROCESS: ForkMutex<Process> = ForkMutex::new(Process { leased: Vec::new() });

pub(super) struct Process {
    /// Segments with an object in them.
    pub(super) leased: Vec<Arc<Made>>,
}

/// The state of this process. No other lock may be taken while it is held.
pub(super) fn process() -> MutexGuard<'static, Process> {
    platform::at_fork(ForkLock::Segments, &HOOKS);
    PROCESS.lock()
}

/// Before a fork, makes the objects in this process's segments private copies; holds the lock until
/// the fork is over.
static HOOKS: ForkHooks = ForkHooks {
    before: || PROCESS.hold(|process| process.leased.iter().for_each(|made| made.part())),
    after: |_| PROCESS.let_go(|_| ()),
};

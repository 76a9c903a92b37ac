//! What a process knows of its segments, and what a fork does to them.
//!
//! Objects in segments are like all others after a fork: parent and child go on with a copy of
//! their own.

use std::sync::{Arc, MutexGuard};

use super::lease::Made;
use crate::platform::{self, ForkHooks, ForkLock};
use crate::sync::ForkMutex;

static PROCESS: ForkMutex<Process> = ForkMutex::new(Process { leased: Vec::new() });

pub(super) struct Process {
    /// Segments that objects lie in.
    pub(super) leased: Vec<Arc<Made>>,
}

/// What this process knows. No other lock may be taken while it is held.
pub(super) fn process() -> MutexGuard<'static, Process> {
    platform::at_fork(ForkLock::Segments, &HOOKS);
    PROCESS.lock()
}

/// Gives this process copies of the objects in segments that are its own, and holds the list over the fork.
static HOOKS: ForkHooks = ForkHooks {
    before: || PROCESS.hold(|process| process.leased.iter().for_each(|made| made.part())),
    after: |_| PROCESS.let_go(|_| ()),
};

//! There are no forks, and no signals.

use std::ops::{Deref, DerefMut};

use crate::platform::{ForkHooks, ForkLock};

pub(crate) fn fork_generation() -> u32 {
    0
}

/// There are no forks.
pub(crate) fn at_fork(_lock: ForkLock, _hooks: &'static ForkHooks) {}

/// The owner of a descriptor that no forked child may have. This system has no forks.
#[derive(Debug)]
pub(crate) struct Private<T>(T);

impl<T> Private<T> {
    pub(crate) fn open<E>(open: impl FnOnce() -> Result<T, E>) -> Result<Self, E> {
        open().map(Self)
    }

    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    pub(crate) fn into_inner(self) -> T {
        self.0
    }

    pub(crate) fn is_intact(&self) -> bool {
        true
    }
}

impl<T> Deref for Private<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Private<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

pub(crate) fn block_signals() {}

pub(crate) fn unblock_signals() {}

/// There are no forks, so that handlers need no guard.
pub struct SignalsBefore;

impl SignalsBefore {
    /// See the one of Unix.
    pub fn look() -> Self {
        Self
    }

    /// See the one of Unix.
    pub fn guard(self, _wake_up: i32, _in_child: fn()) {}
}

pub(crate) fn release_signals(_wake_up: i32) {}

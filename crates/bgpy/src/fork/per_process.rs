//! A value of which each process has its own.

use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::platform;
use crate::sync::lock;

/// A value of which each process has its own, behind a lock. A forked child uses neither its
/// parent's lock, which a thread that does not exist in the child may hold, nor its parent's value,
/// which that thread may have been changing: it makes a new value.
#[derive(Debug)]
pub(crate) struct PerProcess<T> {
    /// From `Box::into_raw`.
    current: AtomicPtr<Value<T>>,
}

#[derive(Debug)]
struct Value<T> {
    /// The fork generation of the process that owns it.
    process: u32,
    value: Mutex<T>,
}

impl<T> PerProcess<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { current: AtomicPtr::new(Value::boxed(value)) }
    }

    /// Locks this process's value; a child that has none yet makes it with `make`.
    pub(crate) fn lock(&self, make: impl FnOnce() -> T) -> MutexGuard<'_, T> {
        let found = self.current.load(Ordering::Acquire);
        // SAFETY: a value stored by this process or its parent lives as long as `self`: only the
        // value of another process is replaced, and it is never freed.
        let mut current = unsafe { &*found };
        if current.process != platform::fork_generation() {
            let (made, order) = (Value::boxed(make()), Ordering::AcqRel);
            let outcome = self.current.compare_exchange(found, made, order, Ordering::Acquire);
            let put = outcome.map_or_else(
                |faster| {
                    // SAFETY: the exchange failed, so no other thread has seen it.
                    drop(unsafe { Box::from_raw(made) });
                    faster
                },
                |_| made,
            );
            // SAFETY: as above.
            current = unsafe { &*put };
        }
        lock(&current.value)
    }
}

impl<T> Value<T> {
    fn boxed(value: T) -> *mut Self {
        let process = platform::fork_generation();
        Box::into_raw(Box::new(Self { process, value: Mutex::new(value) }))
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let current = *self.current.get_mut();
        // SAFETY: as in `lock`.
        if unsafe { (*current).process } == platform::fork_generation() {
            // SAFETY: it came from a box, and `&mut self` is the last use.
            drop(unsafe { Box::from_raw(current) });
        }
    }
}

// SAFETY: it owns its value and gives access only through a lock, as a `Mutex` does.
unsafe impl<T: Send> Send for PerProcess<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for PerProcess<T> {}

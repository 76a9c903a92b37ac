//! Locks that outlive a panic of their holder: what they guard is kept consistent by each holder,
//! and one failed call must not take the server with it.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::platform;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A lock that comes to whoever waits for it. A thread that lets go of a [`Mutex`] only to take it
/// again has it back before another one is awake, for as long as it goes on like that.
#[derive(Debug)]
pub(crate) struct FairMutex<T> {
    /// Held while waiting for the value, so that its last holder waits here.
    next: Mutex<()>,
    value: Mutex<T>,
}

impl<T> FairMutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { next: Mutex::new(()), value: Mutex::new(value) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let _next = lock(&self.next);
        lock(&self.value)
    }
}

/// A lock of the process as a whole, which is [held](Self::hold) over a fork, so that the child finds it
/// free and what it guards consistent.
#[derive(Debug)]
pub(crate) struct ForkMutex<T: 'static> {
    value: Mutex<T>,
    /// The guard of the thread that forks.
    held: UnsafeCell<Option<MutexGuard<'static, T>>>,
}

// SAFETY: only whoever has the lock touches the cell, and a guard stays on the thread that forks.
unsafe impl<T: Send> Sync for ForkMutex<T> {}

impl<T> ForkMutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { value: Mutex::new(value), held: UnsafeCell::new(None) }
    }

    pub(crate) fn lock(&'static self) -> MutexGuard<'static, T> {
        lock(&self.value)
    }

    pub(crate) fn try_lock(&'static self) -> Option<MutexGuard<'static, T>> {
        try_lock(&self.value)
    }

    /// Locks it until this thread [lets go](Self::let_go) of it, because a fork is about to begin, and
    /// lets `act` prepare the value.
    pub(crate) fn hold(&'static self, act: impl FnOnce(&mut T)) {
        let mut guard = self.lock();
        act(&mut guard);
        // SAFETY: this thread has the lock.
        unsafe { *self.held.get() = Some(guard) };
    }

    /// Releases it after the fork, in the parent or the child, once `act` has seen to the value.
    pub(crate) fn let_go(&'static self, act: impl FnOnce(&mut T)) {
        // SAFETY: the thread that forks has the lock, in the parent as in the child.
        if let Some(mut guard) = unsafe { (*self.held.get()).take() } {
            act(&mut guard);
        }
    }
}

/// A value of which each process has its own, behind a lock. A forked child finds neither the lock,
/// which may be held by a thread that it does not have, nor the value, which that thread may have been
/// about to change: it makes a value anew.
#[derive(Debug)]
pub(crate) struct PerProcess<T> {
    /// From a box.
    current: AtomicPtr<Value<T>>,
}

#[derive(Debug)]
struct Value<T> {
    /// The fork generation of the process that has it.
    process: u32,
    value: Mutex<T>,
}

impl<T> PerProcess<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { current: AtomicPtr::new(Value::boxed(value)) }
    }

    /// Locks this process's value, which `make` makes in a child that has none yet.
    pub(crate) fn lock(&self, make: impl FnOnce() -> T) -> MutexGuard<'_, T> {
        let found = self.current.load(Ordering::Acquire);
        // SAFETY: what this process or its parent has put there stays as long as `self`: only the value
        // of another process is replaced, and never freed.
        let mut current = unsafe { &*found };
        if current.process != platform::fork_generation() {
            let (made, order) = (Value::boxed(make()), Ordering::AcqRel);
            let outcome = self.current.compare_exchange(found, made, order, Ordering::Acquire);
            let put = outcome.map_or_else(
                |faster| {
                    // SAFETY: nobody else has seen it.
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
            // SAFETY: it came from a box, and nobody uses it any more.
            drop(unsafe { Box::from_raw(current) });
        }
    }
}

// SAFETY: it owns its value and hands it out behind a lock, as a `Mutex` does.
unsafe impl<T: Send> Send for PerProcess<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for PerProcess<T> {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    const ROUNDS: usize = 21;

    #[test]
    fn a_greedy_holder_lets_others_have_the_lock() {
        let (done, turns) = (FairMutex::new(false), AtomicU32::new(0));
        let mut waited: Vec<_> = thread::scope(|scope| {
            scope.spawn(|| {
                loop {
                    let done = done.lock();
                    turns.fetch_add(1, Ordering::SeqCst);
                    if *done {
                        break;
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let mut seen = 0;
            let ask = |round| {
                // The greedy one has it again.
                while turns.load(Ordering::SeqCst) == seen {
                    thread::yield_now();
                }
                let before = turns.load(Ordering::SeqCst);
                let mut done = done.lock();
                *done = round == ROUNDS;
                seen = turns.load(Ordering::SeqCst);
                seen - before
            };
            (1..=ROUNDS).map(ask).collect()
        });
        waited.sort_unstable();
        // A thread that is held up on its way to the lock waits longer, but not each time.
        assert!(waited[ROUNDS / 2] <= 2, "{waited:?}");
    }
}

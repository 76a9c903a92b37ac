//! Locks that ignore poisoning: each holder keeps the guarded data consistent, and one failed call
//! must not end the server.

use std::cell::UnsafeCell;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

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

/// A lock that waiting threads get in turn. With a plain [`Mutex`], a thread that releases it only
/// to lock it again gets it back before a waiting thread is awake, again and again.
#[derive(Debug)]
pub(crate) struct FairMutex<T> {
    /// Held while waiting for `value`: a thread that locks again queues here behind the waiting
    /// one.
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

/// A process-wide lock that is [held](Self::hold) during a fork, so that in the child it is free
/// and its data consistent.
#[derive(Debug)]
pub(crate) struct ForkMutex<T: 'static> {
    value: Mutex<T>,
    /// The guard of the forking thread.
    held: UnsafeCell<Option<MutexGuard<'static, T>>>,
}

// SAFETY: the cell is accessed only by the lock holder, and a guard stays on the forking thread.
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

    /// Locks it before a fork, until this thread calls [`let_go`](Self::let_go); `act` prepares the
    /// value.
    pub(crate) fn hold(&'static self, act: impl FnOnce(&mut T)) {
        let mut guard = self.lock();
        act(&mut guard);
        // SAFETY: this thread holds the lock.
        unsafe { *self.held.get() = Some(guard) };
    }

    /// Releases it after the fork, in the parent or the child; `act` adjusts the value first.
    pub(crate) fn let_go(&'static self, act: impl FnOnce(&mut T)) {
        // SAFETY: the forking thread holds the lock, in the parent and in the child.
        if let Some(mut guard) = unsafe { (*self.held.get()).take() } {
            act(&mut guard);
        }
    }
}

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
                // The greedy thread has locked it again.
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
        // A thread that is delayed on its way to the lock waits longer, but not each time.
        assert!(waited[ROUNDS / 2] <= 2, "{waited:?}");
    }
}

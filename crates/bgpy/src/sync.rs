//! Locks that outlive a panic of their holder: what they guard is kept consistent by each holder,
//! and one failed call must not take the server with it.

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

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        try_lock(&self.value)
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

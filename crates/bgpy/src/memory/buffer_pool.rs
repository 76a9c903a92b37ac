//! A pool of large buffers for reuse.
//!
//! Fresh memory costs more than writing the bytes: the system clears it page by page at the first
//! access. See [`reuse`].

use std::sync::MutexGuard;

use super::grow::{HUGE_BYTES, kept_bytes_max};
use super::reclaim;
use crate::platform::{self, ForkHooks, ForkLock};
use crate::sync::ForkMutex;

/// A vector is reused for at least this fraction of its capacity, so that a small object does not
/// hold a large vector.
const PART_LEAST: usize = 4;

static POOL: ForkMutex<Pool> = ForkMutex::new(Pool::new());

/// The pool is locked during a fork.
static HOOKS: ForkHooks =
    ForkHooks { before: || POOL.hold(|_| ()), after: |_| POOL.let_go(|_| ()) };

/// Locks the pool, or returns `None` if another thread holds the lock.
fn try_lock() -> Option<MutexGuard<'static, Pool>> {
    platform::at_fork(ForkLock::BufferPool, &HOOKS);
    POOL.try_lock()
}

#[derive(Debug)]
struct Pool {
    /// Empty vectors, oldest first.
    vectors: Vec<Kept>,
    /// The fork generation of the process whose reclaimer watches the pool.
    watched_in: Option<u32>,
}

#[derive(Debug)]
struct Kept {
    vector: Vec<u8>,
    is_idle: bool,
}

/// Keeps the memory of a large received buffer for a later one: its pages are already mapped.
/// Memory unused for a minute returns to the system, as does anything beyond 1 GiB. Small buffers
/// are freed.
pub fn reuse(bytes: Vec<u8>) {
    // If another thread holds the lock, the buffer is freed instead.
    let Some(mut pool) = try_lock().filter(|_| bytes.capacity() >= HUGE_BYTES) else {
        return;
    };
    let here = Some(platform::fork_generation());
    if pool.watched_in != here {
        if !reclaim::watch(give_back) {
            return;
        }
        pool.watched_in = here;
    }
    let surplus = pool.put(bytes);
    drop(pool);
    drop(surplus);
}

/// An empty vector with room for `bytes`, if there is one.
pub(crate) fn take(bytes: usize) -> Option<Vec<u8>> {
    let mut pool = try_lock()?;
    let (found, surplus) = pool.take(bytes);
    drop(pool);
    drop(surplus);
    found
}

/// Frees the whole pool, because memory is short.
pub(crate) fn give_up() {
    let Some(mut pool) = try_lock() else { return };
    let vectors = std::mem::take(&mut pool.vectors);
    drop(pool);
    drop(vectors);
}

fn give_back() -> bool {
    let Some(mut pool) = try_lock() else { return true };
    let idle = pool.take_idle();
    let is_needed = !pool.vectors.is_empty();
    if !is_needed {
        pool.watched_in = None;
    }
    drop(pool);
    drop(idle);
    is_needed
}

impl Pool {
    const fn new() -> Self {
        Self { vectors: Vec::new(), watched_in: None }
    }

    /// Adds a vector, and returns those beyond the limit, so that the caller frees them outside the
    /// lock.
    fn put(&mut self, mut vector: Vec<u8>) -> Vec<Kept> {
        vector.clear();
        let surplus = self.make_room(vector.capacity());
        if vector.capacity() <= kept_bytes_max() {
            self.vectors.push(Kept { vector, is_idle: false });
        }
        surplus
    }

    /// Takes the smallest vector that fits. If none does, also returns vectors evicted for a new
    /// one.
    fn take(&mut self, bytes: usize) -> (Option<Vec<u8>>, Vec<Kept>) {
        let fits =
            |kept: &&(usize, usize)| (bytes..=bytes.saturating_mul(PART_LEAST)).contains(&kept.0);
        let capacities: Vec<_> =
            self.vectors.iter().enumerate().map(|(i, kept)| (kept.vector.capacity(), i)).collect();
        match capacities.iter().filter(fits).min() {
            Some((_, index)) => (Some(self.vectors.remove(*index).vector), Vec::new()),
            None => (None, self.make_room(bytes)),
        }
    }

    /// Removes the oldest vectors until `bytes` may be added.
    fn make_room(&mut self, bytes: usize) -> Vec<Kept> {
        let mut total: usize = self.vectors.iter().map(|kept| kept.vector.capacity()).sum();
        let mut count = 0;
        let most = kept_bytes_max();
        while count < self.vectors.len() && total.saturating_add(bytes) > most {
            total -= self.vectors[count].vector.capacity();
            count += 1;
        }
        self.vectors.drain(..count).collect()
    }

    /// Removes the vectors that were idle since the last call.
    fn take_idle(&mut self) -> Vec<Kept> {
        self.vectors.extract_if(.., |kept| std::mem::replace(&mut kept.is_idle, true)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(bytes: usize) -> Vec<u8> {
        Vec::with_capacity(bytes)
    }

    #[test]
    fn the_smallest_that_fits_is_taken() {
        let mut pool = Pool::new();
        for bytes in [9, 2, 5, 3] {
            assert!(pool.put(vector(bytes * HUGE_BYTES)).is_empty());
        }
        let mut taken = |bytes| pool.take(bytes).0.map(|vector| vector.capacity());
        assert_eq!(taken(4 * HUGE_BYTES), Some(5 * HUGE_BYTES));
        assert_eq!(taken(2 * HUGE_BYTES - 1), Some(2 * HUGE_BYTES));
        assert_eq!(taken(10 * HUGE_BYTES), None);
        assert_eq!(taken(2 * HUGE_BYTES), Some(3 * HUGE_BYTES));
        assert_eq!(taken(2 * HUGE_BYTES), None, "the last one is too large");
    }

    #[test]
    fn no_more_is_kept_than_may_be() {
        let mut pool = Pool::new();
        let half = kept_bytes_max() / 2;
        assert!(pool.put(vector(half)).is_empty());
        assert!(pool.put(vector(half)).is_empty());
        assert_eq!(pool.put(vector(HUGE_BYTES)).len(), 1);
        assert_eq!(pool.take(kept_bytes_max()).1.len(), 2, "room for what comes instead");
        assert!(pool.put(vector(kept_bytes_max() + 1)).is_empty());
        assert!(pool.vectors.is_empty());
    }

    #[test]
    fn what_lies_idle_is_given_back() {
        let mut pool = Pool::new();
        pool.put(vector(HUGE_BYTES));
        pool.put(vector(2 * HUGE_BYTES));
        assert!(pool.take_idle().is_empty());
        let used = pool.take(2 * HUGE_BYTES).0.expect("it is there");
        pool.put(used);
        assert_eq!(pool.take_idle().len(), 1);
        assert_eq!(pool.take_idle().len(), 1);
        assert!(pool.vectors.is_empty());
    }
}

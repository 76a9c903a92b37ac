//! Gives back memory that is kept for reuse and lies idle, and what the allocator keeps. A thread of
//! its own does it, which lives as long as there is some: clients have no other thread, and a peer
//! that died tells nobody.

use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::platform;
use crate::sync::{lock, try_lock};

/// What was not used for so long is given back, at the latest after twice the time: somebody who looks
/// at each result before the next call should not wait for fresh memory again.
const IDLE: Duration = Duration::from_secs(30);

static KEEPER: Keeper = Keeper::new(IDLE);

/// Calls `give_back` every half minute until there is nothing left, which it says by `false`.
/// Returns whether it will be called, which fails where the system gives no thread.
pub(crate) fn watch(give_back: impl FnMut() -> bool + Send + 'static) -> bool {
    KEEPER.watch(Box::new(give_back))
}

/// Gives back in half a minute what the allocator keeps of memory that was just freed.
pub(crate) fn trim_soon() {
    KEEPER.run();
}

struct Keeper {
    idle: Duration,
    kept: Mutex<Kept>,
}

struct Kept {
    all: Vec<Box<dyn FnMut() -> bool + Send>>,
    /// The fork generation of the process whose thread looks after them.
    runs_in: Option<u32>,
}

impl Keeper {
    const fn new(idle: Duration) -> Self {
        Self { idle, kept: Mutex::new(Kept { all: Vec::new(), runs_in: None }) }
    }

    fn watch(&'static self, give_back: Box<dyn FnMut() -> bool + Send>) -> bool {
        self.run().map(|mut kept| kept.all.push(give_back)).is_some()
    }

    /// Makes sure that its thread looks after memory in this process.
    fn run(&'static self) -> Option<MutexGuard<'static, Kept>> {
        // A child that was forked at the wrong moment finds the lock taken for ever.
        let mut kept = try_lock(&self.kept)?;
        let here = Some(platform::fork_generation());
        if kept.runs_in != here {
            let thread = thread::Builder::new().name("bgpy-keeper".into()).stack_size(128 << 10);
            thread.spawn(|| self.look_after()).ok()?;
            kept.runs_in = here;
        }
        Some(kept)
    }

    fn look_after(&self) {
        loop {
            thread::sleep(self.idle);
            let mut all = std::mem::take(&mut lock(&self.kept).all);
            all.retain_mut(|give_back| give_back());
            let mut kept = lock(&self.kept);
            kept.all.append(&mut all);
            let is_over = kept.all.is_empty();
            if is_over {
                kept.runs_in = None;
            }
            drop(kept);
            platform::trim_heap();
            if is_over {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn it_gives_back_until_nothing_is_left_and_begins_anew() {
        static KEEPER: Keeper = Keeper::new(Duration::from_millis(1));
        for rounds in [1, 3, 2] {
            let (told, looks) = mpsc::channel();
            let mut left = rounds;
            let give_back = Box::new(move || {
                left -= 1;
                told.send(left).is_ok() && left > 0
            });
            // The thread may have it locked for a moment, until it has ended.
            while try_lock(&KEEPER.kept).is_none_or(|kept| kept.runs_in.is_some()) {}
            assert!(KEEPER.watch(give_back));
            assert_eq!(looks.iter().collect::<Vec<_>>(), (0..rounds).rev().collect::<Vec<_>>());
        }
    }
}

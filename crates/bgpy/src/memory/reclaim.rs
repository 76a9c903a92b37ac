//! Returns pooled memory that is idle, and free memory that the allocator keeps, to the system. A
//! separate thread does it, which lives only while there is some: clients have no other thread, and
//! a peer that has died sends no event.

use std::sync::MutexGuard;
use std::thread;
use std::time::Duration;

use crate::platform::{self, ForkHooks, ForkLock};
use crate::sync::ForkMutex;

/// Memory unused for this long is returned, at the latest after twice the time: a user who examines
/// each result before the next call should not wait for fresh memory again.
const IDLE: Duration = Duration::from_secs(30);

static RECLAIMER: Reclaimer = Reclaimer::new(IDLE);

/// Calls `give_back` every half minute until it returns `false`, when nothing is left. Returns
/// whether it will be called; not if no thread can be started.
pub(crate) fn watch(give_back: impl FnMut() -> bool + Send + 'static) -> bool {
    platform::at_fork(ForkLock::Reclaim, &HOOKS);
    RECLAIMER.watch(Box::new(give_back))
}

/// Returns the allocator's free memory to the system in half a minute.
pub(crate) fn trim_soon() {
    platform::at_fork(ForkLock::Reclaim, &HOOKS);
    RECLAIMER.run();
}

/// The list is locked during a fork.
static HOOKS: ForkHooks = ForkHooks { before: || RECLAIMER.kept.hold(|_| ()), after: release };

/// The child does not have the thread, and must not touch what its parent's list refers to.
fn release(in_child: bool) {
    RECLAIMER.kept.let_go(|kept| {
        if in_child {
            // Forgotten, not dropped: another thread may have been changing their data at the fork.
            std::mem::take(&mut kept.all).into_iter().for_each(std::mem::forget);
            kept.runs_in = None;
        }
    });
}

struct Reclaimer {
    idle: Duration,
    kept: ForkMutex<Kept>,
}

struct Kept {
    all: Vec<Box<dyn FnMut() -> bool + Send>>,
    /// The fork generation of the process in which the thread runs.
    runs_in: Option<u32>,
}

impl Reclaimer {
    const fn new(idle: Duration) -> Self {
        Self { idle, kept: ForkMutex::new(Kept { all: Vec::new(), runs_in: None }) }
    }

    fn watch(&'static self, give_back: Box<dyn FnMut() -> bool + Send>) -> bool {
        self.run().map(|mut kept| kept.all.push(give_back)).is_some()
    }

    /// Starts the thread in this process unless it runs, and returns the locked list.
    fn run(&'static self) -> Option<MutexGuard<'static, Kept>> {
        let mut kept = self.kept.lock();
        let here = Some(platform::fork_generation());
        if kept.runs_in != here {
            let thread = thread::Builder::new().name("bgpy-reclaim".into()).stack_size(128 << 10);
            thread.spawn(|| self.look_after()).ok()?;
            kept.runs_in = here;
        }
        Some(kept)
    }

    fn look_after(&'static self) {
        loop {
            thread::sleep(self.idle);
            let mut all = std::mem::take(&mut self.kept.lock().all);
            all.retain_mut(|give_back| give_back());
            let mut kept = self.kept.lock();
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
        static RECLAIMER: Reclaimer = Reclaimer::new(Duration::from_millis(1));
        for rounds in [1, 3, 2] {
            let (told, looks) = mpsc::channel();
            let mut left = rounds;
            let give_back = Box::new(move || {
                left -= 1;
                told.send(left).is_ok() && left > 0
            });
            // The thread may hold the lock for a moment, until it has ended.
            while RECLAIMER.kept.try_lock().is_none_or(|kept| kept.runs_in.is_some()) {}
            assert!(RECLAIMER.watch(give_back));
            assert_eq!(looks.iter().collect::<Vec<_>>(), (0..rounds).rev().collect::<Vec<_>>());
        }
    }
}

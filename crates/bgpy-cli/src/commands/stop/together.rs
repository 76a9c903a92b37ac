//! Does the same with several servers at once, so that one that hangs does not hold up the others.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How many at once at most: each takes a thread and a few descriptors.
const AT_ONCE: usize = 128;

/// How often the user may interrupt.
const LOOK: Duration = Duration::from_millis(50);

/// Acts on each of these in a thread, and returns what came of it, in the same order. `act` is also given
/// what says whether the user has interrupted; after that, what has not begun is left out.
///
/// # Errors
/// The system's error if no thread can be started.
pub(super) fn together<T: Send, R: Send>(
    items: Vec<T>,
    interrupted: &dyn Fn() -> bool,
    act: impl Fn(T, &dyn Fn() -> bool) -> R + Sync,
) -> io::Result<Vec<R>> {
    let threads = items.len().min(AT_ONCE);
    let queue = Mutex::new(items.into_iter().enumerate());
    let was_interrupted = AtomicBool::new(false);
    let is_interrupted = || was_interrupted.load(Ordering::Relaxed);
    let mut results = thread::scope(|scope| {
        let (done, results) = mpsc::channel();
        for number in 0..threads {
            let (done, queue, act, is_interrupted) = (done.clone(), &queue, &act, &is_interrupted);
            let work = move || {
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                while let Some((index, item)) = next().filter(|_| !is_interrupted()) {
                    // The receiver is there until all threads have ended.
                    drop(done.send((index, act(item, is_interrupted))));
                }
            };
            match thread::Builder::new().name("bgpy-stop".into()).spawn_scoped(scope, work) {
                Ok(_) => {}
                Err(error) if number == 0 => return Err(error),
                // The others take over what it would have done.
                Err(_) => break,
            }
        }
        drop(done);
        let mut all = Vec::new();
        loop {
            match results.recv_timeout(LOOK) {
                Ok(result) => all.push(result),
                Err(RecvTimeoutError::Timeout) => {
                    if interrupted() {
                        was_interrupted.store(true, Ordering::Relaxed);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(all),
            }
        }
    })?;
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn all_run_at_once_and_keep_their_order() {
        let barrier = Barrier::new(5);
        let results = together((0..5).collect(), &|| false, |item: usize, _| {
            barrier.wait();
            item * 2
        });
        assert_eq!(results.unwrap(), [0, 2, 4, 6, 8]);
        assert!(together(Vec::<usize>::new(), &|| false, |item, _| item).unwrap().is_empty());
    }

    #[test]
    fn an_interruption_reaches_all_and_begins_no_more() {
        let items: Vec<_> = (0..AT_ONCE + 10).collect();
        let results = together(items, &|| true, |_, is_interrupted| {
            while !is_interrupted() {
                thread::sleep(Duration::from_millis(1));
            }
        });
        assert_eq!(results.unwrap().len(), AT_ONCE);
    }
}

//! The thread that polls the sockets while a task runs.
//!
//! It is armed lazily. While calls come in, it looks once a millisecond whether the executing thread
//! moves, which costs the calls nothing; after some quiet it sleeps until the next call.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use super::reactor::Shared;

/// A task that runs this long is stood in for.
pub(super) const LOOK: Duration = Duration::from_millis(1);

/// How often the size of the log is looked at while tasks run, whose prints go to it unseen: a disk
/// that takes 50 MB a second lets it become half as large again as it may. And how often whether they
/// have left the server its poller and its listeners.
pub(super) const LOG_LOOK: Duration = Duration::from_millis(100);

/// And how often while none does, when only threads that they have left can print.
const IDLE_LOG_LOOK: Duration = Duration::from_secs(1);

/// Looks without a call after which the thread goes to sleep.
const QUIET_LOOKS: u32 = 50;

#[derive(Debug, Default)]
pub(super) struct StandIn {
    thread: OnceLock<Thread>,
    armed: AtomicBool,
    over: AtomicBool,
}

impl StandIn {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the system says when it gives none.
    pub(super) fn start(&self, shared: &Arc<Shared>) -> io::Result<JoinHandle<()>> {
        let shared = shared.clone();
        let handle = thread::Builder::new()
            .name("bgpy-standin".into())
            .stack_size(256 << 10)
            .spawn(move || shared.standin.watch(&shared))?;
        self.thread.get_or_init(|| handle.thread().clone());
        Ok(handle)
    }

    /// Sees to it that the thread is looking. Called whenever the executing thread stops polling.
    pub(super) fn arm(&self) {
        if !self.armed.load(Ordering::SeqCst) {
            self.armed.store(true, Ordering::SeqCst);
            self.unpark();
        }
    }

    /// Lets the thread end.
    pub(super) fn quit(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.unpark();
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn unpark(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    fn watch(&self, shared: &Arc<Shared>) {
        self.look_after(shared);
        while !self.is_over() {
            // Again and again, because it may have been just about to sleep.
            shared.interrupt();
            thread::park_timeout(LOG_LOOK);
        }
    }

    /// Stands in when it is needed, until the server ends or has failed.
    fn look_after(&self, shared: &Arc<Shared>) {
        let (journal, mut looked) = (shared.journal(), Instant::now());
        while !self.is_over() && !shared.has_failed() {
            if !self.armed.load(Ordering::SeqCst) {
                thread::park_timeout(IDLE_LOG_LOOK);
                looked = Instant::now();
                shared.keep_up(&journal);
                shared.check_poller();
                continue;
            }
            let mut quiet = 0;
            while quiet < QUIET_LOOKS && !self.is_over() && !shared.has_failed() {
                let turns = shared.turns.load(Ordering::Relaxed);
                thread::park_timeout(LOOK);
                if looked.elapsed() >= LOG_LOOK {
                    looked = Instant::now();
                    shared.keep_up(&journal);
                    shared.check_poller();
                }
                let moved = shared.turns.load(Ordering::Relaxed) != turns;
                match (moved, shared.away.load(Ordering::SeqCst)) {
                    (true, _) => quiet = 0,
                    (false, false) => quiet += 1,
                    (false, true) => {
                        quiet = 0;
                        shared.stand_in(LOOK);
                    }
                }
            }
            self.armed.store(false, Ordering::SeqCst);
            // The executing thread may have gone away before it could see that nobody looks.
            if shared.away.load(Ordering::SeqCst) {
                self.armed.store(true, Ordering::SeqCst);
            }
        }
    }
}

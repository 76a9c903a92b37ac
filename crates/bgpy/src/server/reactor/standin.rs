//! The stand-in: a thread that polls the sockets while a task runs.
//!
//! It is armed lazily. While calls arrive, it checks once a millisecond whether the executing
//! thread makes progress, which costs the calls nothing; after a quiet period it sleeps until the
//! next call.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::server::shared::{LOG_LOOK, Shared};

/// The stand-in takes over the poller from a task that runs this long.
pub(crate) const LOOK: Duration = Duration::from_millis(1);

/// How often the log is checked while no task runs, when only threads left by tasks can print.
const IDLE_LOG_LOOK: Duration = Duration::from_secs(1);

/// Checks without a call after which the thread sleeps.
const QUIET_LOOKS: u32 = 50;

impl Shared {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's error if it cannot create a thread.
    pub(crate) fn start_standin(self: &Arc<Self>) -> io::Result<JoinHandle<()>> {
        let shared = self.clone();
        let handle = thread::Builder::new()
            .name("bgpy-standin".into())
            .stack_size(256 << 10)
            .spawn(move || shared.watch())?;
        self.standin.thread.get_or_init(|| handle.thread().clone());
        Ok(handle)
    }

    fn watch(self: &Arc<Self>) {
        self.look_after();
        while !self.standin.is_over() {
            // Repeated, because the executing thread may have been just about to sleep: an
            // interrupt before that has no effect.
            self.interrupt();
            thread::park_timeout(LOG_LOOK);
        }
    }

    /// Polls whenever the executing thread is busy, until the server ends or has failed.
    fn look_after(self: &Arc<Self>) {
        let (log, mut looked) = (self.log(), Instant::now());
        while !self.standin.is_over() && !self.has_failed() {
            if !self.standin.armed.load(Ordering::SeqCst) {
                thread::park_timeout(IDLE_LOG_LOOK);
                looked = Instant::now();
                self.housekeep(&log);
                self.check_poller();
                continue;
            }
            let mut quiet = 0;
            while quiet < QUIET_LOOKS && !self.standin.is_over() && !self.has_failed() {
                let turns = self.turns.load(Ordering::Relaxed);
                thread::park_timeout(LOOK);
                if looked.elapsed() >= LOG_LOOK {
                    looked = Instant::now();
                    self.housekeep(&log);
                    self.check_poller();
                }
                let moved = self.turns.load(Ordering::Relaxed) != turns;
                match (moved, self.away.load(Ordering::SeqCst)) {
                    (true, _) => quiet = 0,
                    (false, false) => quiet += 1,
                    (false, true) => {
                        quiet = 0;
                        self.stand_in(LOOK);
                    }
                }
            }
            self.standin.armed.store(false, Ordering::SeqCst);
            // `away` is read after `armed` is cleared: an executing thread that went away before that still
            // saw `armed`, and did not unpark this thread (see `StandInSwitch::arm`).
            if self.away.load(Ordering::SeqCst) {
                self.standin.armed.store(true, Ordering::SeqCst);
            }
        }
    }
}

//! What the threads of a server share.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::core::{Core, CoreParts};
use super::dead_peers::Looks;
use super::end::End;
use super::kept_files::KeptFiles;
use super::leader::Leader;
use super::signal::{SignalPipe, Waker};
use super::standin::StandIn;
use super::watched::Watched;
use crate::log::Log;
use crate::platform::{self, Private, Sleeper};
use crate::sync::FairMutex;

/// How often the size of the log is looked at while tasks run, whose prints go to it unseen: a disk
/// that takes 50 MB a second lets it become half as large again as it may. And how often whether they
/// have left the server its poller and its listeners.
pub(super) const LOG_LOOK: Duration = Duration::from_millis(100);

/// What the executing thread, the stand-in and the replies share.
pub(super) struct Shared {
    pub(super) core: FairMutex<Core>,
    pub(super) leader: Mutex<Leader>,
    pub(super) watched: Watched,
    waker: Arc<Waker>,
    pub(super) standin: StandIn,
    /// The executing thread.
    pub(super) executing: OnceLock<Sleeper>,
    pub(super) files: KeptFiles,
    /// At clients that may have vanished.
    pub(super) looks: Looks,
    /// ReadyQueue of the executing thread, so that the stand-in sees whether it moves.
    pub(super) turns: AtomicU64,
    /// Whether the executing thread is busy with something else than polling.
    pub(super) away: AtomicBool,
    /// Whether a signal has come that the executing thread has not dealt with.
    pub(super) signalled: AtomicBool,
    /// Whether the server ends when nobody calls it.
    pub(super) has_idle_timeout: bool,
    /// Times that the stand-in has led.
    pub(super) relieved: AtomicU64,
    /// Whether the executing thread wants to lead (again).
    pub(super) executor_waits: AtomicBool,
    /// Whether the server was told to end, other than by EXIT.
    pub(super) stopped: AtomicBool,
    /// Why the server cannot go on, if it cannot.
    pub(super) failure: OnceLock<String>,
    pub(super) end: Arc<End>,
    /// The fork generation of the server's process. In a child that a task has forked nothing of this
    /// may be used: another thread may have been about to change it.
    pub(super) process: u32,
}

impl Shared {
    pub(super) fn new(
        parts: impl FnOnce(Private<mio::Registry>) -> CoreParts,
    ) -> io::Result<(Arc<Self>, SignalPipe)> {
        let (leader, waker) = Leader::new()?;
        let registry = leader.registry()?;
        let watched = leader.watched(&registry);
        let core = Core::new(parts(registry), waker.clone())?;
        let shared = Arc::new(Self {
            watched,
            leader: Mutex::new(leader),
            waker: waker.clone(),
            standin: StandIn::default(),
            executing: OnceLock::new(),
            files: KeptFiles::of(core.record()),
            looks: Looks::default(),
            turns: AtomicU64::new(0),
            away: AtomicBool::new(true),
            signalled: AtomicBool::new(false),
            has_idle_timeout: core.calls.idle_timeout().is_some(),
            core: FairMutex::new(core),
            relieved: AtomicU64::new(0),
            executor_waits: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            failure: OnceLock::new(),
            end: Arc::default(),
            process: platform::fork_generation(),
        });
        Ok((shared, SignalPipe::new(waker)))
    }

    /// Whether this is the server's process, and not a child that was forked from it.
    pub(super) fn is_here(&self) -> bool {
        self.process == platform::fork_generation()
    }

    /// Whether it cannot go on.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    /// Wakes the executing thread where its poller cannot any more.
    pub(super) fn interrupt(&self) {
        if !self.away.load(Ordering::SeqCst) {
            self.executing.get().inspect(|thread| thread.interrupt());
        }
    }

    pub(super) fn log(&self) -> Log {
        self.core.lock().log.clone()
    }

    pub(super) fn wake(&self) {
        self.waker.wake();
    }
}

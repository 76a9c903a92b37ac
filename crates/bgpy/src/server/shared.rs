//! State shared by the threads of a server.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::connections::dead_peers::LastCheck;
use super::control::Steering;
use super::core::{Core, CoreParts};
use super::end::End;
use super::executor::Bell;
use super::reactor::leader::Leader;
use super::reactor::poller_check::PollerCheck;
use super::reactor::signal::{SignalPipe, Waker};
use super::reactor::standin_switch::StandInSwitch;
use super::registration::file_check::FileCheck;
use crate::log::Log;
use crate::platform::{self, Private, Sleeper};
use crate::sync::FairMutex;

/// How often the size of the log is checked while tasks run, whose output goes to it directly: at
/// 50 MB a second it grows to one and a half times its limit at most. Also how often the poller and
/// the listeners are checked, since tasks may close them.
pub(super) const LOG_LOOK: Duration = Duration::from_millis(100);

/// State shared by the executing thread, the stand-in and the replies.
pub(super) struct Shared {
    pub(super) core: FairMutex<Core>,
    pub(super) steering: Arc<Steering>,
    pub(super) leader: Mutex<Leader>,
    pub(super) poller_check: PollerCheck,
    waker: Arc<Waker>,
    pub(super) standin: StandInSwitch,
    /// Interrupts the executor in what it does between calls.
    pub(super) bell: OnceLock<Arc<dyn Bell>>,
    /// Whether it does something there.
    pub(super) drives: AtomicBool,
    /// The executing thread.
    pub(super) executing: OnceLock<Sleeper>,
    pub(super) files: FileCheck,
    /// When clients were last checked for having vanished.
    pub(super) last_check: LastCheck,
    /// Turns of the executing thread, so that the stand-in sees whether it makes progress.
    pub(super) turns: AtomicU64,
    /// Whether the executing thread is busy with anything but polling.
    pub(super) away: AtomicBool,
    /// Whether a signal has arrived that the executing thread has not handled.
    pub(super) signalled: AtomicBool,
    /// Whether the server has an idle timeout.
    pub(super) has_idle_timeout: bool,
    /// How often the stand-in has led.
    pub(super) relieved: AtomicU64,
    /// Whether the executing thread wants to lead (again).
    pub(super) executor_waits: AtomicBool,
    /// Whether the server was told to end other than by EXIT.
    pub(super) stopped: AtomicBool,
    /// Why the server cannot continue, if it cannot.
    pub(super) failure: OnceLock<String>,
    pub(super) end: Arc<End>,
    /// The fork generation of the server's process. A forked child must not use any of this:
    /// another thread may have been changing it at the fork.
    pub(super) process: u32,
}

impl Shared {
    pub(super) fn new(
        parts: impl FnOnce(Private<mio::Registry>) -> CoreParts,
    ) -> io::Result<(Arc<Self>, SignalPipe)> {
        let (leader, waker) = Leader::new()?;
        let registry = leader.registry()?;
        let poller_check = leader.poller_check(&registry);
        let core = Core::new(parts(registry), waker.clone())?;
        let shared = Arc::new(Self {
            poller_check,
            steering: core.control.steering.clone(),
            leader: Mutex::new(leader),
            waker: waker.clone(),
            standin: StandInSwitch::default(),
            bell: OnceLock::new(),
            drives: AtomicBool::new(false),
            executing: OnceLock::new(),
            files: FileCheck::of(core.registration()),
            last_check: LastCheck::default(),
            turns: AtomicU64::new(0),
            away: AtomicBool::new(true),
            signalled: AtomicBool::new(false),
            has_idle_timeout: core.idle.limit().is_some(),
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

    /// Whether this is the server's process, and not a child forked from it.
    pub(super) fn is_here(&self) -> bool {
        self.process == platform::fork_generation()
    }

    /// Whether the server cannot continue.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    /// Wakes the executing thread when its poller no longer can.
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

//! How a server ends that is told to, or that cannot go on.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::shared::Shared;
use crate::platform;
use crate::registry::Ending;

/// How long a running task, and then `exit_task`, may take after the server has found that it cannot go on.
const FAILURE_GRACE: Duration = Duration::from_secs(30);

impl Shared {
    /// Takes no more calls, answers those that wait, and lets the executing thread end. What still
    /// runs after `grace` is killed with the process.
    pub(super) fn stop(self: &Arc<Self>, grace: Duration) {
        if self.stopped.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut core = self.core.lock();
        core.stop();
        core.log.info(if core.calls.is_running() {
            "told to end: waiting for the running task, which a second signal or Ctrl-C interrupts"
        } else {
            "told to end"
        });
        drop(core);
        self.wake();
        let seconds = grace.as_secs_f64();
        let reason = format!("not ended within {seconds} s of being told to: killed");
        self.kill_after(grace, reason);
    }

    /// The server cannot go on: the executing thread ends as soon as its task has, and the process says
    /// that it has failed, so that a supervisor starts it again.
    pub(super) fn fail(self: &Arc<Self>, error: &io::Error) {
        let reason = format!("the server cannot watch its sockets any more ({error})");
        if self.failure.set(reason.clone()).is_err() {
            return;
        }
        let mut core = self.core.lock();
        core.log.critical(format_args!(
            "{reason}: it ends. A task may have closed descriptors that are not its own"
        ));
        core.refuse();
        drop(core);
        self.wake();
        self.kill_after(FAILURE_GRACE, reason);
    }

    /// Kills the process unless the server has ended in time.
    fn kill_after(self: &Arc<Self>, grace: Duration, reason: String) {
        let (shared, end): (Weak<Self>, _) = (Arc::downgrade(self), self.end.clone());
        let watch = move || {
            if end.comes_within(grace) {
                return;
            }
            let Some(shared) = shared.upgrade() else { return };
            shared.log().critical(&reason);
            shared.note(Ending::now(false, reason));
            platform::end_now();
        };
        // Without the thread the end is only less certain.
        drop(std::thread::Builder::new().name("bgpy-grace".into()).spawn(watch));
    }

    /// Notes how the server has run, or that it never will.
    pub(super) fn finish(&self, ending: Option<Ending>) {
        // A child that was forked is not the server.
        if !self.is_here() {
            return;
        }
        match ending {
            Some(ending) => self.note(ending),
            None => self.core.lock().forget(),
        }
        self.end.announce();
    }

    fn note(&self, ending: Ending) {
        let mut core = self.core.lock();
        if self.failure.get().is_some() { core.fail(ending) } else { core.end(ending) }
    }
}

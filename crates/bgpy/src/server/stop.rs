//! How a server ends when told to, or when it cannot continue.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::shared::Shared;
use crate::duration::shown;
use crate::platform;
use crate::registry::Ending;

/// How long a running task, and then `exit_task`, may take once the server cannot continue.
const FAILURE_GRACE: Duration = Duration::from_secs(30);

impl Shared {
    /// Rejects new calls, answers queued ones, and lets the executing thread end. Kills the process
    /// if it still runs after `grace`.
    pub(super) fn stop(self: &Arc<Self>, grace: Duration) {
        if self.stopped.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut core = self.core.lock();
        core.stop();
        core.log.info(if !core.calls.under_way.is_empty() {
            "stop requested: waiting for the running task, which a second signal or Ctrl-C interrupts"
        } else {
            "stop requested"
        });
        drop(core);
        self.wake();
        let limit = shown(grace);
        let reason = format!("not ended within {limit} of being told to: killed");
        self.kill_after(grace, reason);
    }

    /// Ends a server that cannot continue: the executing thread ends after its task, and the
    /// process exits with a failure so that a supervisor restarts it.
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

    /// Kills the process unless the server ends in time.
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
        // Without the thread the server still ends, unless its task never returns.
        drop(std::thread::Builder::new().name("bgpy-grace".into()).spawn(watch));
    }

    /// Records how the server ran, or that it never will.
    pub(super) fn finish(&self, ending: Option<Ending>) {
        // A forked child is not the server.
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

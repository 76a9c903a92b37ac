//! Small calls that are begun in quick succession leave together: a write for each would cost more than all the rest.
//! A thread that lives only as long as there are such calls writes them, unless a caller that waits does so first.

use std::sync::{Arc, MutexGuard, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::link::{Link, LinkState};
use crate::clock;
use crate::error::{CallError, Lost};
use crate::platform::{self, ForkHooks, ForkLock};
use crate::sync::{ForkMutex, lock};
use crate::wait::Wait;

/// How long a call may wait for others after the last write.
const LINGER: Duration = Duration::from_micros(100);

/// Queued bytes that do not wait.
const LINGER_BYTES: usize = 32 << 10;

/// How long the thread waits for more connections before it ends.
const IDLE: Duration = Duration::from_secs(1);

static FLUSHER: ForkMutex<Flusher> =
    ForkMutex::new(Flusher { links: Vec::new(), thread: None, runs_in: None });

/// The list is locked during a fork.
static HOOKS: ForkHooks = ForkHooks { before: || FLUSHER.hold(|_| ()), after: release };

/// The connections with calls that linger.
struct Flusher {
    links: Vec<Weak<Link>>,
    thread: Option<Thread>,
    /// The fork generation of the process in which the thread runs.
    runs_in: Option<u32>,
}

/// The child does not have the thread, and its parent's calls are not its own.
fn release(in_child: bool) {
    FLUSHER.let_go(|flusher| {
        if in_child {
            // Forgotten, not dropped: another thread may have been changing them at the fork.
            std::mem::take(&mut flusher.links).into_iter().for_each(std::mem::forget);
            std::mem::forget(flusher.thread.take());
            flusher.runs_in = None;
        }
    });
}

impl Link {
    /// Writes what is queued, or lets it linger if something was written just before.
    pub(super) fn flush_soon(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, LinkState>,
        wait: &Wait<'_>,
    ) -> Result<(), CallError> {
        let now = clock::now();
        let outbox = &state.session.outbox;
        let is_soon = now.saturating_duration_since(state.written) < LINGER;
        let may_linger = is_soon && outbox.len() < LINGER_BYTES && !outbox.is_shared();
        // Without a thread there is nobody to write it later.
        if !may_linger || !(state.lingers || self.will_be_flushed()) {
            state.written = now;
            return self.flush(state, wait);
        }
        state.lingers = true;
        Ok(())
    }

    /// Writes what lingers, as far as the socket accepts it. Returns whether something is left.
    pub(super) fn end_lingering(&self) -> Result<bool, Lost> {
        let mut state = lock(&self.state);
        // A caller that writes also writes what is queued behind it.
        if !std::mem::take(&mut state.lingers) || state.writing {
            return Ok(false);
        }
        let sent = self.send(&mut state.session.outbox);
        state.lingers = !state.session.outbox.is_empty();
        state.written = clock::now();
        let is_left = state.lingers;
        drop(state);
        sent.map(|()| is_left).map_err(|kind| self.lose(Lost::Io(kind)))
    }

    /// Has the thread write what lingers; `false` if the system gives no thread.
    fn will_be_flushed(self: &Arc<Self>) -> bool {
        platform::at_fork(ForkLock::Flush, &HOOKS);
        let mut flusher = FLUSHER.lock();
        let here = Some(platform::fork_generation());
        if flusher.runs_in != here {
            let thread = thread::Builder::new().name("bgpy-flush".into()).stack_size(128 << 10);
            let Ok(handle) = thread.spawn(flush_all) else { return false };
            (flusher.thread, flusher.runs_in) = (Some(handle.thread().clone()), here);
        }
        flusher.links.push(Arc::downgrade(self));
        if let Some(thread) = flusher.thread.as_ref().filter(|_| flusher.links.len() == 1) {
            thread.unpark();
        }
        true
    }
}

fn flush_all() {
    let mut idle_since = Instant::now();
    loop {
        let links = std::mem::take(&mut FLUSHER.lock().links);
        if links.is_empty() {
            let mut flusher = FLUSHER.lock();
            if flusher.links.is_empty() {
                if idle_since.elapsed() >= IDLE {
                    (flusher.thread, flusher.runs_in) = (None, None);
                    return;
                }
                drop(flusher);
                thread::park_timeout(IDLE);
            }
            continue;
        }
        thread::sleep(LINGER);
        let mut left: Vec<_> = links
            .into_iter()
            .filter_map(|link| link.upgrade())
            // A lost connection has told its callers.
            .filter(|link| link.end_lingering().unwrap_or(false))
            .map(|link| Arc::downgrade(&link))
            .collect();
        if !left.is_empty() {
            // A server that does not read.
            thread::sleep(Duration::from_millis(1));
            FLUSHER.lock().links.append(&mut left);
        }
        idle_since = Instant::now();
    }
}

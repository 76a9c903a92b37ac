//! What clients say to the calls under way, and what these tell them before their end: cancels, credits of streams,
//! results of callbacks, progress.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use bgpy_proto::{Delivered, Exceptions, Failure, Progress, Request};

use super::calls::Calls;
use super::cancellation::{Cancellation, Interrupter, Why};
use super::under_way::Requested;
use crate::clock;
use crate::sync::lock;

/// How often callers hear of progress at most.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// What a callback has returned, or why it has not, with the exception if the client could send it.
pub type Returned = Result<Delivered, Box<(Failure, Exceptions)>>;

/// A callback: the connection and id of its call, and its number.
pub(super) type CallbackKey = (usize, u64, u32);

/// Wakes tasks that wait for their caller.
#[derive(Debug, Default)]
pub(super) struct News {
    state: Mutex<NewsState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct NewsState {
    /// How often there was news.
    count: u64,
    /// Callbacks that have not been [collected](News::collect).
    callbacks: HashMap<CallbackKey, Option<Returned>>,
}

/// How far the calls under way have come.
#[derive(Debug, Default)]
pub(super) struct ProgressCells {
    cells: Mutex<HashMap<u64, ProgressCell>>,
    /// Whether any call has said how far it has come.
    is_used: AtomicBool,
}

#[derive(Debug)]
struct ProgressCell {
    latest: Progress,
    is_told: bool,
    told: Option<Instant>,
}

/// What the threads of a server share about the calls under way.
#[derive(Debug, Default)]
pub(super) struct Steering {
    pub(super) cancellation: Arc<Cancellation>,
    pub(super) news: News,
    pub(super) progress: ProgressCells,
    /// Whether calls wait for the executing thread.
    pub(super) has_waiting: Arc<AtomicBool>,
    /// How many calls the executing thread has suspended.
    pub(super) suspended: AtomicUsize,
}

/// The reactor's side of it.
pub(super) struct CallControl {
    pub(super) steering: Arc<Steering>,
    /// Interrupts the executing thread, if the executor can.
    pub(super) interrupter: Option<Arc<dyn Interrupter>>,
}

impl News {
    /// How much news there was. Read it before looking for what to [wait](Self::wait) for.
    pub(super) fn count(&self) -> u64 {
        lock(&self.state).count
    }

    /// Waits for more news than `count`, up to `limit`.
    pub(super) fn wait(&self, count: u64, limit: Duration) {
        let state = lock(&self.state);
        let waited = self.changed.wait_timeout_while(state, limit, |state| state.count == count);
        drop(waited);
    }

    fn tell(&self) {
        lock(&self.state).count += 1;
        self.changed.notify_all();
    }

    /// Notes that a callback is under way.
    pub(super) fn expect(&self, callback: CallbackKey) {
        lock(&self.state).callbacks.insert(callback, None);
    }

    /// What a callback has returned, once it has.
    pub(super) fn collect(&self, callback: CallbackKey) -> Option<Returned> {
        let mut state = lock(&self.state);
        let is_there = state.callbacks.get(&callback)?.is_some();
        if is_there { state.callbacks.remove(&callback)? } else { None }
    }

    /// Notes that a callback does not matter any more.
    pub(super) fn forget(&self, callback: CallbackKey) {
        // Dropped outside the lock.
        let _gone = lock(&self.state).callbacks.remove(&callback);
    }

    fn returned(&self, callback: CallbackKey, outcome: Returned) {
        let mut state = lock(&self.state);
        if let Some(place) = state.callbacks.get_mut(&callback) {
            *place = Some(outcome);
        }
        drop(state);
        self.tell();
    }
}

impl ProgressCells {
    /// Notes how far a call has come.
    pub(super) fn set(&self, call: u64, progress: Progress) {
        self.is_used.store(true, Ordering::Relaxed);
        let mut cells = lock(&self.cells);
        let cell = cells.entry(call).or_insert_with(|| ProgressCell {
            latest: Progress::default(),
            is_told: false,
            told: None,
        });
        (cell.latest, cell.is_told) = (progress, false);
    }

    /// How far a call has come, if it has said so.
    pub(super) fn of(&self, call: u64) -> Option<Progress> {
        lock(&self.cells).get(&call).map(|cell| cell.latest.clone())
    }

    /// What the caller of a call has not been told, if it is time to.
    fn due(&self, call: u64) -> Option<Progress> {
        let mut cells = lock(&self.cells);
        let cell = cells.get_mut(&call).filter(|cell| !cell.is_told)?;
        if cell.told.is_some_and(|told| clock::since(told) < PROGRESS_EVERY) {
            return None;
        }
        (cell.is_told, cell.told) = (true, Some(clock::now()));
        Some(cell.latest.clone())
    }

    /// Forgets a call that is over.
    fn forget(&self, call: u64) {
        if self.is_used.load(Ordering::Relaxed) {
            lock(&self.cells).remove(&call);
        }
    }
}

impl CallControl {
    /// For the calls of a server.
    pub(super) fn of(calls: &Calls) -> Self {
        let has_waiting = calls.has_waiting.clone();
        let steering = Arc::new(Steering { has_waiting, ..Steering::default() });
        Self { steering, interrupter: None }
    }

    /// Whether a call that runs can be interrupted.
    pub(super) fn can_interrupt(&self) -> bool {
        self.interrupter.is_some()
    }

    /// Passes on what a client says about a call; returns any other request.
    pub(super) fn take(
        &self,
        connection: usize,
        request: Request,
        calls: &mut Calls,
    ) -> Option<Request> {
        match request {
            // One that waits was cancelled by the queue.
            Request::Cancel { id, .. } => {
                if let Some(number) = calls.under_way.find(connection, id) {
                    self.interrupt(calls, number, Why::Asked);
                }
            }
            Request::Credit { .. } => {
                calls.under_way.stir();
                self.steering.news.tell();
            }
            Request::CallbackReply { id, number, outcome } => {
                self.steering.news.returned((connection, id, number), outcome);
            }
            other => return Some(other),
        }
        None
    }

    /// Cancels a call that is under way.
    pub(super) fn interrupt(&self, calls: &mut Calls, number: u64, why: Why) -> Requested {
        let requested = calls.under_way.request(number, why);
        if requested == Requested::OfExecuting {
            self.steering.cancellation.request(number, why);
            self.repeat();
        }
        self.steering.news.tell();
        requested
    }

    /// Whether the executing thread has not noticed that its call is cancelled.
    pub(super) fn is_pending(&self) -> bool {
        self.can_interrupt() && self.steering.cancellation.is_pending()
    }

    /// Interrupts the executing thread as long as it has not noticed that its call is cancelled.
    pub(super) fn repeat(&self) {
        if self.steering.cancellation.is_pending()
            && let Some(interrupter) = &self.interrupter
        {
            interrupter.interrupt();
        }
    }

    /// Notes that a connection has ended.
    pub(super) fn gone(&self, connection: usize, calls: &mut Calls) {
        for number in calls.under_way.attached_to(connection) {
            self.interrupt(calls, number, Why::Gone);
        }
        calls.under_way.stir();
        self.steering.news.tell();
    }

    /// How far a call has come, if its caller is to be told.
    pub(super) fn due_progress(&self, number: u64) -> Option<Progress> {
        self.steering.progress.due(number)
    }

    /// How far a call has come.
    pub(super) fn progress(&self, number: u64) -> Option<Progress> {
        self.steering.progress.of(number)
    }

    /// Forgets a call that is over.
    pub(super) fn forget(&self, number: u64) {
        self.steering.progress.forget(number);
    }
}

impl std::fmt::Debug for CallControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallControl").field("steering", &self.steering).finish_non_exhaustive()
    }
}

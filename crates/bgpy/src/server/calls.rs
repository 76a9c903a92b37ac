//! The calls of a server: which are accepted, which wait, which one runs.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use bgpy_proto::{
    CallKind, Delivered, Failure, FailureCode, Request, ServerSession, State, Want, limits,
};

use crate::clock;
use crate::memory::reclaim;

/// Capacity that an empty queue keeps, in calls.
const KEPT_CALLS: usize = 4096;

/// Bytes that cancelled calls may occupy in the queue until their turn.
const KEPT_BYTES: u64 = 16 << 20;

/// A call that waits for the executor.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) connection: usize,
    pub(super) id: u64,
    pub(super) kind: CallKind,
    pub(super) message: Delivered,
}

/// The caller to tell how a call ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Called {
    pub(super) connection: usize,
    pub(super) id: u64,
    pub(super) kind: CallKind,
}

impl Called {
    pub(super) fn of(call: &Waiting) -> Self {
        Self { connection: call.connection, id: call.id, kind: call.kind }
    }
}

/// What to do with a call whose turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Run its task.
    Task,
    /// Nothing to run: an INIT after the server was `already` initialized, or an EXIT of a server
    /// without tasks.
    Nothing { already: bool },
    /// Refuse it: the INIT it was queued behind has failed.
    Refusal,
}

impl Due {
    pub(super) fn of(kind: CallKind, initialized: bool) -> Self {
        match kind {
            CallKind::Init if initialized => Self::Nothing { already: true },
            CallKind::Exec if !initialized => Self::Refusal,
            CallKind::Exit if !initialized => Self::Nothing { already: false },
            CallKind::Init | CallKind::Exec | CallKind::Exit => Self::Task,
        }
    }
}

/// The running call.
#[derive(Debug)]
struct Running {
    connection: usize,
    id: u64,
    kind: CallKind,
    /// When it started, as far as the stand-in has noticed: short calls do not read the clock.
    since: Option<Instant>,
}

impl Running {
    fn seconds(&self) -> f64 {
        self.since.map_or(0.0, |since| clock::since(since).as_secs_f64())
    }
}

/// The idle timeout, and since when the server has been idle.
#[derive(Debug)]
struct Unused {
    limit: Duration,
    since: Instant,
}

/// Pending work of the server.
#[derive(Debug)]
pub(super) struct Calls {
    unused: Option<Unused>,
    queue: VecDeque<Waiting>,
    queue_bytes: u64,
    /// Cancelled calls that are still queued. They are dropped at their turn, so that a cancel
    /// needs no search.
    cancelled: HashSet<(usize, u64)>,
    /// Refused calls whose cancels are the next requests on their connections.
    refused: HashSet<(usize, u64)>,
    /// The queued or running EXIT.
    exit: Option<(usize, u64)>,
    running: Option<Running>,
    pub(super) done: u64,
    /// Queued or running INITs: a call behind one of them is accepted on the assumption that it
    /// succeeds.
    inits: u64,
    initialized: bool,
    is_starting: bool,
    /// The server was told to end: only `exit_task` still runs.
    stopping: bool,
    /// Whether calls are acked on acceptance. Off while the executor is about to answer: the
    /// response implies the ack, which saves a write.
    pub(super) ack_at_once: bool,
}

impl Calls {
    /// For a server that is starting; the start counts as a running INIT.
    pub(super) fn new(idle_timeout: Option<Duration>) -> Self {
        Self {
            unused: idle_timeout.map(|limit| Unused { limit, since: clock::now() }),
            queue: VecDeque::new(),
            queue_bytes: 0,
            cancelled: HashSet::new(),
            refused: HashSet::new(),
            exit: None,
            running: None,
            done: 0,
            inits: 1,
            initialized: false,
            is_starting: true,
            stopping: false,
            ack_at_once: false,
        }
    }

    /// Ends the start.
    pub(super) fn started(&mut self, initialized: bool) {
        self.inits -= 1;
        self.is_starting = false;
        self.initialized = initialized;
        self.note_use();
    }

    /// Queues or cancels a call; returns any other request. With `overload`, all calls but EXIT are
    /// refused for that reason.
    pub(super) fn admit(
        &mut self,
        session: &mut ServerSession,
        connection: usize,
        request: Request,
        overload: Option<&str>,
    ) -> Option<Request> {
        match request {
            Request::Cancel { id } => self.cancel(connection, id),
            Request::Call { id, kind, want, message } => {
                if let Err(failure) = self.check(kind, &message, overload) {
                    // `fail` returns `false` if the caller has cancelled the call in the same batch
                    // of frames.
                    if !session.fail(id, &failure) {
                        self.refused.insert((connection, id));
                    }
                    return None;
                }
                if want == Want::Ack || self.ack_at_once {
                    session.ack(id);
                }
                self.inits += u64::from(kind == CallKind::Init);
                if kind == CallKind::Exit {
                    self.exit = Some((connection, id));
                }
                self.queue_bytes += message.bytes();
                self.queue.push_back(Waiting { connection, id, kind, message });
            }
            other => return Some(other),
        }
        None
    }

    /// Cancels a queued call. An EXIT stays: other calls may have been refused because of it.
    fn cancel(&mut self, connection: usize, id: u64) {
        if self.refused.remove(&(connection, id)) {
            return;
        }
        let call = Some((connection, id));
        let running = self.running.as_ref().map(|call| (call.connection, call.id));
        if call != running && call != self.exit {
            self.cancelled.insert((connection, id));
            if self.queue_bytes > KEPT_BYTES && self.is_worth_clearing() {
                self.drop_cancelled();
            }
        }
    }

    fn check(
        &mut self,
        kind: CallKind,
        message: &Delivered,
        overload: Option<&str>,
    ) -> Result<(), Failure> {
        if self.is_ending() {
            return Err(Failure::stopping());
        }
        // EXIT is accepted even under overload: it frees the resources.
        if let Some(overload) = overload.filter(|_| kind != CallKind::Exit) {
            return Err(Failure::new(FailureCode::Overloaded, overload));
        }
        if kind == CallKind::Exec && !self.initialized && self.inits == 0 {
            return Err(not_initialized());
        }
        if self.is_full(message) && self.is_worth_clearing() {
            self.drop_cancelled();
        }
        if self.is_full(message) {
            let text = format!("{} calls wait already; try again later", self.queue.len());
            return Err(Failure::new(FailureCode::Overloaded, text));
        }
        Ok(())
    }

    fn is_full(&self, message: &Delivered) -> bool {
        self.queue.len() >= limits::QUEUE_CALLS_MAX
            || (!self.queue.is_empty()
                && self.queue_bytes + message.bytes() > limits::QUEUE_BYTES_MAX)
    }

    /// Whether enough of the queue is cancelled to make a pass over all of it worthwhile.
    fn is_worth_clearing(&self) -> bool {
        self.cancelled.len() * 64 >= self.queue.len()
    }

    fn drop_cancelled(&mut self) {
        let Self { queue, queue_bytes, cancelled, inits, .. } = self;
        queue.retain(|call| {
            let is_wanted = !cancelled.remove(&(call.connection, call.id));
            if !is_wanted {
                *queue_bytes -= call.message.bytes();
                *inits -= u64::from(call.kind == CallKind::Init);
            }
            is_wanted
        });
    }

    fn note_use(&mut self) {
        if let Some(unused) = &mut self.unused {
            unused.since = clock::now();
        }
    }

    /// When the idle timeout expires; `None` while the server works.
    pub(super) fn idle_until(&self) -> Option<Instant> {
        let Unused { limit, since } = self.unused.as_ref()?;
        let works =
            self.is_starting || self.running.is_some() || self.has_waiting() || self.is_ending();
        // An overflow of the clock means never.
        if works { None } else { since.checked_add(*limit) }
    }

    /// The idle timeout, if there is one.
    pub(super) fn idle_timeout(&self) -> Option<Duration> {
        self.unused.as_ref().map(|unused| unused.limit)
    }

    /// Whether a task runs.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The next queued call, if there is one; it counts as running from now on.
    pub(super) fn next(&mut self) -> Option<Waiting> {
        loop {
            let call = self.queue.pop_front()?;
            self.queue_bytes -= call.message.bytes();
            if self.queue.is_empty() {
                self.give_back();
            }
            let is_wanted =
                self.cancelled.is_empty() || !self.cancelled.remove(&(call.connection, call.id));
            if is_wanted {
                // While the stand-in polls, it does not check for long tasks, so read the clock
                // now.
                let since = self.ack_at_once.then(clock::now);
                let Waiting { connection, id, kind, .. } = call;
                self.running = Some(Running { connection, id, kind, since });
                return Some(call);
            }
            self.inits -= u64::from(call.kind == CallKind::Init);
        }
    }

    /// Frees the memory of a queue that was long once.
    fn give_back(&mut self) {
        if self.queue.capacity() > KEPT_CALLS {
            self.queue = VecDeque::new();
            self.cancelled.shrink_to(KEPT_CALLS);
            reclaim::trim_soon();
        }
    }

    /// Notes the end of the running call.
    pub(super) fn finish(&mut self, kind: CallKind, succeeded: bool) {
        self.running = None;
        self.done += 1;
        self.note_use();
        match kind {
            CallKind::Init => {
                self.inits -= 1;
                self.initialized |= succeeded;
            }
            CallKind::Exec => {}
            CallKind::Exit => self.stopping = true,
        }
    }

    /// Removes and returns the queued calls; none of them will run.
    pub(super) fn stop(&mut self) -> VecDeque<Waiting> {
        self.stopping = true;
        self.queue_bytes = 0;
        self.cancelled.clear();
        std::mem::take(&mut self.queue)
    }

    /// Notes that the running call is long: it started `before` now.
    pub(super) fn mark_long(&mut self, before: Duration) {
        if let Some(call) = &mut self.running {
            call.since = call.since.or_else(|| clock::now().checked_sub(before));
        }
    }

    /// The running call and the queued ones, by connection and id.
    pub(super) fn accepted(&self) -> impl Iterator<Item = (usize, u64)> {
        let running = self.running.as_ref().map(|call| (call.connection, call.id));
        running.into_iter().chain(self.queue.iter().map(|call| (call.connection, call.id)))
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(super) fn is_initialized(&self) -> bool {
        self.initialized
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether an EXIT was accepted.
    pub(super) fn has_exit(&self) -> bool {
        self.exit.is_some()
    }

    /// Whether no more calls are accepted.
    pub(super) fn is_ending(&self) -> bool {
        self.exit.is_some() || self.stopping
    }

    /// The server's state.
    pub(super) fn state(&self) -> State {
        match self.running {
            _ if self.is_ending() => State::Stopping,
            _ if self.is_starting => State::Starting,
            Some(_) => State::Busy,
            None if self.initialized => State::Ready,
            None => State::Uninitialized,
        }
    }

    /// The running task, and for how many seconds it has run, as far as is known.
    pub(super) fn running(&self) -> Option<(&'static str, f64)> {
        self.running.as_ref().map(|call| (task(call.kind), call.seconds()))
    }

    /// The number of queued calls that are not cancelled.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len() - self.cancelled.len()
    }
}

/// The task that a call runs.
pub(super) fn task(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Init => "init_task",
        CallKind::Exec => "exec_task",
        CallKind::Exit => "exit_task",
    }
}

pub(super) fn not_initialized() -> Failure {
    Failure::new(FailureCode::NotInitialized, "the server has no tasks yet")
}

#[cfg(test)]
impl Calls {
    /// Asserts that the counters match the queue.
    pub(super) fn check_counts(&self) {
        let bytes: u64 = self.queue.iter().map(|call| call.message.bytes()).sum();
        assert_eq!(self.queue_bytes, bytes, "bytes that wait are counted");
        assert!(self.queue.len() <= limits::QUEUE_CALLS_MAX, "too many calls wait");
        let is_cancelled = |call: &&Waiting| self.cancelled.contains(&(call.connection, call.id));
        let cancelled = self.queue.iter().filter(is_cancelled).count();
        assert_eq!(cancelled, self.cancelled.len(), "only what waits is cancelled");
        assert!(self.refused.is_empty(), "a refused call is forgotten with its cancel");
    }

    /// Asserts that nothing is left of finished calls.
    pub(super) fn check_empty(&self) {
        assert!(self.queue.is_empty() && self.cancelled.is_empty(), "calls are left");
        assert_eq!((self.queue_bytes, self.inits), (0, 0));
        assert!(self.running.is_none());
    }
}

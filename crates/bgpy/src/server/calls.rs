//! The calls of a server: which are accepted, which waits, which runs.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use bgpy_proto::{
    CallKind, Delivered, Failure, FailureCode, Request, ServerSession, State, Want, limits,
};

use crate::clock;
use crate::memory::reclaim;

/// Calls for which an empty queue keeps its memory.
const KEPT_CALLS: usize = 4096;

/// Bytes of waiting calls that may stay when they are taken back, until it is their turn.
const KEPT_BYTES: u64 = 16 << 20;

/// A call that waits for the executor.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) connection: usize,
    pub(super) id: u64,
    pub(super) kind: CallKind,
    pub(super) message: Delivered,
}

/// Who is told how a call ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Called {
    pub(super) connection: usize,
    pub(super) id: u64,
    pub(super) kind: CallKind,
}

/// What is done about a call whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Its task runs.
    Task,
    /// Nothing, because there is nothing to do: an INIT that comes `already` too late, or an EXIT of a server
    /// without tasks.
    Nothing { already: bool },
    /// It is refused: the INIT that it was accepted behind has failed.
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

/// The call that runs.
#[derive(Debug)]
struct Running {
    connection: usize,
    id: u64,
    kind: CallKind,
    /// When it began, as far as the stand-in has noticed: the clock is not read for short calls.
    since: Option<Instant>,
}

impl Running {
    fn seconds(&self) -> f64 {
        self.since.map_or(0.0, |since| clock::since(since).as_secs_f64())
    }
}

/// How long a server may be unused, and since when it is.
#[derive(Debug)]
struct Unused {
    limit: Duration,
    since: Instant,
}

/// What the server has to do.
#[derive(Debug)]
pub(super) struct Calls {
    unused: Option<Unused>,
    queue: VecDeque<Waiting>,
    queue_bytes: u64,
    /// Calls of the queue that were taken back. They are dropped at their turn, so that taking one
    /// back needs no search.
    taken_back: HashSet<(usize, u64)>,
    /// Calls that were refused, and whose cancels are the next requests of their connections.
    refused: HashSet<(usize, u64)>,
    /// The EXIT that waits or runs.
    exit: Option<(usize, u64)>,
    running: Option<Running>,
    pub(super) done: u64,
    /// INITs that wait or run: a call behind one of them is accepted in the hope of its success.
    inits: u64,
    initialized: bool,
    is_starting: bool,
    /// The server was told to end: nothing runs any more but `exit_task`.
    stopping: bool,
    /// Whether calls are acked when they are accepted. While the executor is about to answer, it is
    /// not: the response says as much, and saves a write.
    pub(super) ack_at_once: bool,
}

impl Calls {
    /// A server that is starting, which counts as an INIT that runs.
    pub(super) fn new(idle_timeout: Option<Duration>) -> Self {
        Self {
            unused: idle_timeout.map(|limit| Unused { limit, since: clock::now() }),
            queue: VecDeque::new(),
            queue_bytes: 0,
            taken_back: HashSet::new(),
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

    /// Queues a call, or takes one back; returns any other request. There may be a reason not to take any calls of
    /// a connection.
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
                    // A caller that does not hear it has taken the call back in the same breath.
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

    /// Takes back a call that waits. An EXIT stays: others may have been refused because of it.
    fn cancel(&mut self, connection: usize, id: u64) {
        if self.refused.remove(&(connection, id)) {
            return;
        }
        let call = Some((connection, id));
        let running = self.running.as_ref().map(|call| (call.connection, call.id));
        if call != running && call != self.exit {
            self.taken_back.insert((connection, id));
            if self.queue_bytes > KEPT_BYTES && self.is_worth_clearing() {
                self.clear_taken_back();
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
            return Err(stopping());
        }
        // Whoever wants to end the server is not in the way for long.
        if let Some(overload) = overload.filter(|_| kind != CallKind::Exit) {
            return Err(Failure::new(FailureCode::Overloaded, overload));
        }
        if kind == CallKind::Exec && !self.initialized && self.inits == 0 {
            return Err(not_initialized());
        }
        if self.is_full(message) && self.is_worth_clearing() {
            self.clear_taken_back();
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

    /// Whether so much of the queue was taken back that looking through all of it pays.
    fn is_worth_clearing(&self) -> bool {
        self.taken_back.len() * 64 >= self.queue.len()
    }

    fn clear_taken_back(&mut self) {
        let Self { queue, queue_bytes, taken_back, inits, .. } = self;
        queue.retain(|call| {
            let is_wanted = !taken_back.remove(&(call.connection, call.id));
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

    /// When the server will have been unused for as long as it may; none while it works.
    pub(super) fn idle_until(&self) -> Option<Instant> {
        let Unused { limit, since } = self.unused.as_ref()?;
        let works =
            self.is_starting || self.running.is_some() || self.has_waiting() || self.is_ending();
        // A moment that no clock reaches never comes.
        if works { None } else { since.checked_add(*limit) }
    }

    /// How long it may be unused before it ends, if it ends for that.
    pub(super) fn idle_timeout(&self) -> Option<Duration> {
        self.unused.as_ref().map(|unused| unused.limit)
    }

    /// Whether a task runs.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The call that is next, if one waits; it counts as running from now.
    pub(super) fn next(&mut self) -> Option<Waiting> {
        loop {
            let call = self.queue.pop_front()?;
            self.queue_bytes -= call.message.bytes();
            if self.queue.is_empty() {
                self.give_back();
            }
            let is_wanted =
                self.taken_back.is_empty() || !self.taken_back.remove(&(call.connection, call.id));
            if is_wanted {
                // While the stand-in polls it does not look, so that the clock is read at once.
                let since = self.ack_at_once.then(clock::now);
                let Waiting { connection, id, kind, .. } = call;
                self.running = Some(Running { connection, id, kind, since });
                return Some(call);
            }
            self.inits -= u64::from(call.kind == CallKind::Init);
        }
    }

    /// Gives back the memory of a queue that was long once.
    fn give_back(&mut self) {
        if self.queue.capacity() > KEPT_CALLS {
            self.queue = VecDeque::new();
            self.taken_back.shrink_to(KEPT_CALLS);
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

    /// Takes the calls that wait, because none of them will run.
    pub(super) fn stop(&mut self) -> VecDeque<Waiting> {
        self.stopping = true;
        self.queue_bytes = 0;
        self.taken_back.clear();
        std::mem::take(&mut self.queue)
    }

    /// Notes that the running call takes its time: it began `before` now.
    pub(super) fn takes_long(&mut self, before: Duration) {
        if let Some(call) = &mut self.running {
            call.since = call.since.or_else(|| clock::now().checked_sub(before));
        }
    }

    /// The call that runs and those that wait, by connection and id.
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

    /// Where the server stands.
    pub(super) fn state(&self) -> State {
        match self.running {
            _ if self.is_ending() => State::Stopping,
            _ if self.is_starting => State::Starting,
            Some(_) => State::Busy,
            None if self.initialized => State::Ready,
            None => State::Uninitialized,
        }
    }

    /// The task that runs, and for how many seconds, as far as that is known.
    pub(super) fn running(&self) -> Option<(&'static str, f64)> {
        self.running.as_ref().map(|call| (task(call.kind), call.seconds()))
    }

    /// How many calls wait that nobody has taken back.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len() - self.taken_back.len()
    }
}

fn task(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Init => "init_task",
        CallKind::Exec => "exec_task",
        CallKind::Exit => "exit_task",
    }
}

pub(super) fn stopping() -> Failure {
    Failure::new(FailureCode::Stopping, "the server is about to end and takes no more calls")
}

pub(super) fn not_initialized() -> Failure {
    Failure::new(
        FailureCode::NotInitialized,
        "the server has no tasks yet: call initialize(init_task, exec_task, exit_task) first",
    )
}

#[cfg(test)]
impl Calls {
    /// Looks whether what is counted is what there is.
    pub(super) fn check_counts(&self) {
        let bytes: u64 = self.queue.iter().map(|call| call.message.bytes()).sum();
        assert_eq!(self.queue_bytes, bytes, "bytes that wait are counted");
        assert!(self.queue.len() <= limits::QUEUE_CALLS_MAX, "too many calls wait");
        let is_taken_back = |call: &&Waiting| self.taken_back.contains(&(call.connection, call.id));
        let taken_back = self.queue.iter().filter(is_taken_back).count();
        assert_eq!(taken_back, self.taken_back.len(), "only what waits is taken back");
        assert!(self.refused.is_empty(), "a refused call is forgotten with its cancel");
    }

    /// Looks whether nothing is left of calls that are over.
    pub(super) fn check_empty(&self) {
        assert!(self.queue.is_empty() && self.taken_back.is_empty(), "calls are left");
        assert_eq!((self.queue_bytes, self.inits), (0, 0));
        assert!(self.running.is_none());
    }
}

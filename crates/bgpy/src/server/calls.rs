//! The queue of a server: the calls that wait, and with them those that have begun.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bgpy_proto::{CallHead, CallKind, Delivered, limits};

use super::under_way::UnderWay;
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
    /// What its caller says beside the message.
    pub(super) head: Option<Arc<CallHead>>,
    /// When the caller's time is over, if it has a deadline.
    pub(super) deadline: Option<Instant>,
    /// The server's number for it, given by the [queue](Calls::push).
    pub(super) number: u64,
    pub(super) message: Delivered,
}

impl Waiting {
    /// A call that has just arrived.
    pub(super) fn new(
        connection: usize,
        id: u64,
        kind: CallKind,
        head: Option<Arc<CallHead>>,
        message: Delivered,
    ) -> Self {
        let left = head.as_ref().and_then(|head| head.left_ms).map(Duration::from_millis);
        // An overflow of the clock means never.
        let deadline = left.and_then(|left| clock::now().checked_add(left));
        Self { connection, id, kind, head, deadline, number: 0, message }
    }

    /// Whether the end of its connection cancels it.
    pub(super) fn is_attached(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.attached)
    }

    /// Whether its caller's time is over.
    pub(super) fn is_expired(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= clock::now())
    }
}

/// The caller to tell how a call ends.
#[derive(Debug, Clone)]
pub(super) struct Called {
    pub(super) connection: usize,
    pub(super) id: u64,
    pub(super) kind: CallKind,
    pub(super) number: u64,
    head: Option<Arc<CallHead>>,
}

impl Called {
    pub(super) fn of(call: &Waiting) -> Self {
        let Waiting { connection, id, kind, number, .. } = *call;
        Self { connection, id, kind, number, head: call.head.clone() }
    }

    /// What its caller says beside the message.
    pub(super) fn head(&self) -> Option<&CallHead> {
        self.head.as_deref()
    }

    /// What it runs: a task, or a method.
    pub(super) fn task(&self) -> &str {
        let method = self.head.as_ref().and_then(|head| head.method.as_deref());
        method.unwrap_or(match self.kind {
            CallKind::Init => "init_task",
            CallKind::Exec => "exec_task",
            CallKind::Exit => "exit_task",
        })
    }
}

/// Accepted calls that are not over.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// The number of the last call.
    last: u64,
    queue: VecDeque<Waiting>,
    queue_bytes: u64,
    /// Cancelled calls that are still queued. They are dropped at their turn, so that a cancel
    /// needs no search.
    cancelled: HashSet<(usize, u64)>,
    /// Refused calls whose cancels are the next requests on their connections.
    refused: HashSet<(usize, u64)>,
    /// Queued or running INITs.
    inits: u64,
    /// What has begun.
    pub(super) under_way: UnderWay,
    /// Whether calls wait, for those that run and may give way.
    pub(super) has_waiting: Arc<AtomicBool>,
}

impl Calls {
    /// Queues a call, and returns its number.
    pub(super) fn push(&mut self, mut call: Waiting) -> u64 {
        self.last += 1;
        call.number = self.last;
        self.inits += u64::from(call.kind == CallKind::Init);
        self.queue_bytes += call.message.bytes();
        self.queue.push_back(call);
        self.has_waiting.store(true, Ordering::Relaxed);
        self.last
    }

    /// Whether there is room for a call, if need be after dropping cancelled ones.
    pub(super) fn make_room(&mut self, message: &Delivered) -> bool {
        if self.is_full(message) && self.is_worth_clearing() {
            self.drop_cancelled();
        }
        !self.is_full(message)
    }

    fn is_full(&self, message: &Delivered) -> bool {
        self.queue.len() >= limits::QUEUE_CALLS_MAX
            || (!self.queue.is_empty()
                && self.queue_bytes + message.bytes() > limits::QUEUE_BYTES_MAX)
    }

    /// Notes that the next request about a call that was refused is its cancel.
    pub(super) fn expect_cancel(&mut self, connection: usize, id: u64) {
        self.refused.insert((connection, id));
    }

    /// Cancels a queued call.
    pub(super) fn cancel(&mut self, connection: usize, id: u64) {
        if self.refused.remove(&(connection, id)) || self.under_way.find(connection, id).is_some() {
            return;
        }
        self.cancelled.insert((connection, id));
        if self.queue_bytes > KEPT_BYTES && self.is_worth_clearing() {
            self.drop_cancelled();
        }
    }

    /// The queued call of this number, unless it is cancelled.
    pub(super) fn find(&self, number: u64) -> Option<Called> {
        // Numbers grow along the queue.
        let index = self.queue.binary_search_by_key(&number, |call| call.number).ok()?;
        let call = Called::of(&self.queue[index]);
        (!self.cancelled.contains(&(call.connection, call.id))).then_some(call)
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

    /// The next queued call, if there is one that `may_begin`.
    pub(super) fn next(
        &mut self,
        may_begin: impl Fn(&Waiting, &UnderWay) -> bool,
    ) -> Option<Waiting> {
        loop {
            let call = self.queue.front()?;
            let is_wanted =
                self.cancelled.is_empty() || !self.cancelled.contains(&(call.connection, call.id));
            if is_wanted && !may_begin(call, &self.under_way) {
                return None;
            }
            let call = self.queue.pop_front()?;
            self.queue_bytes -= call.message.bytes();
            if self.queue.is_empty() {
                self.has_waiting.store(false, Ordering::Relaxed);
                self.give_back();
            }
            if is_wanted {
                return Some(call);
            }
            self.cancelled.remove(&(call.connection, call.id));
            self.inits -= u64::from(call.kind == CallKind::Init);
        }
    }

    /// Whether the next queued call `may_begin`, or is none that has to.
    pub(super) fn has_due(&self, may_begin: impl Fn(&Waiting, &UnderWay) -> bool) -> bool {
        self.queue.front().is_some_and(|call| {
            self.cancelled.contains(&(call.connection, call.id)) || may_begin(call, &self.under_way)
        })
    }

    /// Frees the memory of a queue that was long once.
    fn give_back(&mut self) {
        if self.queue.capacity() > KEPT_CALLS {
            self.queue = VecDeque::new();
            self.cancelled.shrink_to(KEPT_CALLS);
            reclaim::trim_soon();
        }
    }

    /// Notes the end of a call that has begun.
    pub(super) fn finish(&mut self, call: &Called) {
        self.under_way.finish(call.number);
        self.inits -= u64::from(call.kind == CallKind::Init);
    }

    /// Removes and returns the queued calls; none of them will run.
    pub(super) fn clear(&mut self) -> VecDeque<Waiting> {
        self.queue_bytes = 0;
        self.cancelled.clear();
        self.has_waiting.store(false, Ordering::Relaxed);
        std::mem::take(&mut self.queue)
    }

    /// The calls under way and the queued ones, by connection and id.
    pub(super) fn accepted(&self) -> impl Iterator<Item = (usize, u64)> {
        let under_way = self.under_way.calls().map(|call| (call.connection, call.id));
        under_way.chain(self.queue.iter().map(|call| (call.connection, call.id)))
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether an EXIT is the next call.
    pub(super) fn is_exit_next(&self) -> bool {
        self.queue.front().is_some_and(|call| call.kind == CallKind::Exit)
    }

    /// Whether an INIT waits or runs.
    pub(super) fn has_init(&self) -> bool {
        self.inits > 0
    }

    /// The number of queued calls, cancelled ones included.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The number of queued calls that are not cancelled.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len() - self.cancelled.len()
    }
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
        assert!(self.under_way.is_empty());
    }
}

//! One connection to a server, shared by the threads of a process without a thread of its own.
//!
//! A caller writes on its own thread. Of the callers that wait for an answer, one reads for all of
//! them; when it has its own answer, it passes the reading on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bgpy_proto::{ClientSession, ServerHello};
use socket2::Socket;

use super::probe::Probe;
use super::proof::Proof;
use super::reader::Reader;
use crate::clock;
use crate::error::{CallError, ConnectError, Lost};
use crate::memory;
use crate::memory::segments::Segments;
use crate::platform::{self, Private};
use crate::sync::lock;
use crate::wait::Wait;

/// One connection.
#[derive(Debug)]
pub struct Link {
    pub(super) socket: Private<Socket>,
    pub(super) server: String,
    pub(super) hello: ServerHello,
    proof: Proof,
    /// The fork generation of the process that opened it.
    process: u32,
    pub(super) opened: Instant,
    /// Microseconds from `opened` to the last use.
    pub(super) used_us: AtomicU64,
    pub(super) is_lost: AtomicBool,
    /// Whether the server is known to have its tasks, if it starts with some.
    pub(super) has_started: AtomicBool,
    pub(super) probe: Probe,
    /// Whether the server has accepted its end from here: it takes no later call.
    is_ending: AtomicBool,
    /// The thread that writes a message which the socket did not take at once; 0 is none.
    pub(super) writer: AtomicU64,
    /// On a Unix socket whose both ends can map them.
    pub(super) segments: Option<Segments>,
    pub(super) state: Mutex<LinkState>,
    pub(super) answered: Condvar,
    /// Held by the caller that reads for all.
    pub(super) reading: Mutex<Reader>,
}

#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) session: ClientSession,
    pub(super) lost: Option<Lost>,
    /// Whether a caller is writing a message that the socket did not take at once. What was
    /// submitted first must leave first, so others wait with theirs.
    pub(super) writing: bool,
    /// Callers that sleep until the one that reads wakes them.
    pub(super) sleepers: usize,
}

impl Link {
    pub(super) fn new(
        socket: Socket,
        server: String,
        mut session: ClientSession,
        segments: Option<Segments>,
        proof: Proof,
    ) -> Self {
        session.supply_with(match &segments {
            Some(segments) => segments.supply(),
            None => Box::new(memory::Own),
        });
        let (now, is_first) = (clock::now(), session.server().generation == 0);
        Self {
            has_started: AtomicBool::new(is_first),
            socket: Private::new(socket),
            server,
            hello: session.server().clone(),
            proof,
            process: platform::fork_generation(),
            opened: now,
            used_us: AtomicU64::new(0),
            is_lost: AtomicBool::new(false),
            probe: Probe::new(now),
            is_ending: AtomicBool::new(false),
            writer: AtomicU64::new(0),
            segments,
            state: Mutex::new(LinkState { session, lost: None, writing: false, sleepers: 0 }),
            answered: Condvar::new(),
            reading: Mutex::new(Reader::new(now)),
        }
    }

    /// What the server told of itself.
    pub fn hello(&self) -> &ServerHello {
        &self.hello
    }

    /// What the server has proven.
    pub(super) fn proof(&self) -> Proof {
        self.proof
    }

    /// Whether the server has accepted its end from here: whatever is sent later does not run.
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// Notes that the server has accepted its end.
    pub(super) fn note_end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    /// Whether this process opened it, and not the one that it was forked from.
    pub(super) fn is_here(&self) -> bool {
        self.process == platform::fork_generation()
    }

    /// Whether this thread is writing to it, and runs a signal handler meanwhile.
    pub(super) fn is_written_here(&self) -> bool {
        match self.writer.load(Ordering::Relaxed) {
            0 => false,
            writer => writer == this_thread(),
        }
    }

    /// Asks whether the caller wants to stop, for which signal handlers run. They may do what they want,
    /// so that nothing may be locked here.
    pub(super) fn is_interrupted(&self, wait: &Wait<'_>) -> Result<bool, Lost> {
        let is_interrupted = wait.is_interrupted();
        // A child that one of them has forked has come back, into a call of its parent's.
        if self.is_here() { Ok(is_interrupted) } else { Err(Lost::Forked) }
    }

    /// Closes the connection; calls under way end with [`Lost::Dropped`].
    pub fn close(&self) {
        self.lose(Lost::Dropped);
    }

    /// Sleeps until another caller has changed something, or the time is over.
    pub(super) fn sleep<'a>(
        &self,
        mut state: MutexGuard<'a, LinkState>,
        limit: Duration,
    ) -> MutexGuard<'a, LinkState> {
        state.sleepers += 1;
        let (mut state, _) = self
            .answered
            .wait_timeout(state, limit)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        state.sleepers -= 1;
        state
    }

    pub(super) fn wake_sleepers(&self, state: &LinkState) {
        if state.sleepers > 0 {
            self.answered.notify_all();
        }
    }

    /// Marks the connection as lost, for the first reason that was found, and returns that.
    pub(super) fn lose(&self, reason: Lost) -> Lost {
        // What a forked child has of it is its parent's, and may be locked for ever.
        if !self.is_here() {
            return Lost::Forked;
        }
        let mut state = lock(&self.state);
        let reason = state.lost.get_or_insert(reason).clone();
        // What its callers own must not be kept for longer than they wait.
        state.session.outbox.clear();
        // Whoever reads is woken by the end of the stream.
        self.is_lost.store(true, Ordering::Release);
        if self.socket.is_intact() {
            drop(self.socket.shutdown(std::net::Shutdown::Both));
        }
        self.wake_sleepers(&state);
        reason
    }

    pub(super) fn lost(&self, reason: Lost) -> CallError {
        CallError::Lost { server: self.server.clone(), reason }
    }

    pub(super) fn timed_out(&self, wait: &Wait<'_>, accepted: bool) -> CallError {
        self.probe.give_up();
        let after = wait.limit().unwrap_or_default();
        CallError::Timeout { server: self.server.clone(), after, accepted }
    }
}

/// What becomes of an error of a call that was made after the server had accepted its end.
pub(super) fn too_late(error: CallError) -> CallError {
    match error {
        CallError::Lost { server, reason: Lost::Closed | Lost::Io(_) } => {
            ConnectError::Stopping { server }.into()
        }
        error => error,
    }
}

/// A number that no other thread of this process has.
pub(super) fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}

//! One connection to a server, shared by the threads of a process; it has no thread of its own.
//!
//! Each caller writes on its own thread. Of the callers that wait for answers, one, the leader,
//! reads for all of them; when it has its own answer, it releases `reading` to another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bgpy_proto::{ClientSession, Failure, ServerHello};
use socket2::Socket;

use super::probe::Probe;
use super::proof::Proof;
use super::read_state::ReadState;
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
    /// Whether the server has accepted an EXIT on this connection: it accepts no later call.
    is_ending: AtomicBool,
    /// The thread whose message did not fit the socket at once and is being written; 0 if none.
    pub(super) writer: AtomicU64,
    /// On a Unix socket both of whose ends can map them.
    pub(super) segments: Option<Segments>,
    pub(super) state: Mutex<LinkState>,
    pub(super) answered: Condvar,
    /// Held by the leader, the caller that reads for all.
    pub(super) reading: Mutex<ReadState>,
}

#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) session: ClientSession,
    pub(super) lost: Option<Lost>,
    /// How often something has arrived.
    pub(super) arrivals: u64,
    /// When something was last written at once that might have lingered.
    pub(super) written: Instant,
    /// Whether queued calls wait for others, to leave with them.
    pub(super) lingers: bool,
    /// Whether a caller is writing a message that did not fit the socket at once. Messages must
    /// leave in the order of submission, so other callers wait.
    pub(super) writing: bool,
    /// Number of callers that sleep until the leader wakes them.
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
            state: Mutex::new(LinkState {
                session,
                lost: None,
                arrivals: 0,
                written: now,
                lingers: false,
                writing: false,
                sleepers: 0,
            }),
            answered: Condvar::new(),
            reading: Mutex::new(ReadState::new(now)),
        }
    }

    /// The server as the user named it.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What the server announced about itself.
    pub fn hello(&self) -> &ServerHello {
        &self.hello
    }

    /// What the server has proven.
    pub(super) fn proof(&self) -> Proof {
        self.proof
    }

    /// Whether the server has accepted an EXIT on this connection: later calls do not run.
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// Whether the server has said goodbye.
    pub(super) fn is_over(&self) -> bool {
        self.is_here() && lock(&self.state).session.is_over()
    }

    /// Notes that the server has accepted an EXIT.
    pub(super) fn note_end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    /// Whether this process opened the connection, not the parent it was forked from.
    pub fn is_here(&self) -> bool {
        self.process == platform::fork_generation()
    }

    /// Whether this thread is in the middle of writing to it, and now runs a signal handler.
    pub(super) fn is_written_here(&self) -> bool {
        match self.writer.load(Ordering::Relaxed) {
            0 => false,
            writer => writer == this_thread(),
        }
    }

    /// Runs signal handlers and asks whether the caller wants to stop. No lock may be held here:
    /// handlers may use this connection.
    pub(super) fn is_interrupted(&self, wait: &Wait<'_>) -> Result<bool, Lost> {
        let is_interrupted = wait.is_interrupted();
        // A handler may have forked: then this is the child, returning into a call of its parent.
        if self.is_here() { Ok(is_interrupted) } else { Err(Lost::Forked) }
    }

    /// Closes the connection; calls under way end with [`Lost::Dropped`].
    pub fn close(&self) {
        self.lose(Lost::Dropped);
    }

    /// Sleeps until another caller wakes the sleepers, or for `limit`.
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

    /// Marks the connection as lost; the first reason counts and is returned.
    pub(super) fn lose(&self, reason: Lost) -> Lost {
        // In a forked child the connection belongs to the parent, and `state` may be locked for
        // ever.
        if !self.is_here() {
            return Lost::Forked;
        }
        let mut state = lock(&self.state);
        let reason = state.lost.get_or_insert(reason).clone();
        // Drop the queued output: it must not keep its callers' memory for longer than they wait.
        state.session.outbox.clear();
        // The shutdown wakes the leader with EOF.
        self.is_lost.store(true, Ordering::Release);
        if self.socket.is_intact() {
            drop(self.socket.shutdown(std::net::Shutdown::Both));
        }
        self.wake_sleepers(&state);
        reason
    }

    pub(super) fn lost(&self, reason: Lost) -> CallError {
        let (server, instance) = (self.server.clone(), self.hello().instance);
        CallError::Lost { server, reason, instance, ended: None }
    }

    /// The error for a call that the parent of this forked process has begun.
    pub fn forked(&self) -> CallError {
        self.lost(Lost::Forked)
    }

    /// The error for a call that was not sent, because the server had said goodbye.
    pub(super) fn refused(&self) -> CallError {
        let (server, failure) = (self.server.clone(), Box::new(Failure::stopping()));
        CallError::refused(&server, failure)
    }

    pub(super) fn timed_out(&self, wait: &Wait<'_>, accepted: bool) -> CallError {
        self.probe.give_up();
        let after = wait.limit().unwrap_or_default();
        let expired = self.hello.calls && wait.until_deadline().is_some_and(|left| left.is_zero());
        CallError::Timeout { server: self.server.clone(), after, accepted, expired }
    }

    pub(super) fn job_timed_out(&self, wait: &Wait<'_>) -> CallError {
        self.probe.give_up();
        let after = wait.limit().unwrap_or_default();
        CallError::JobTimeout { server: self.server.clone(), after }
    }
}

/// Maps an error of a call that was made after the server had accepted an EXIT.
pub(super) fn too_late(error: CallError) -> CallError {
    match error {
        CallError::Lost { server, reason: Lost::Closed | Lost::Io(_), .. } => {
            ConnectError::Stopping { server, hindrance: None }.into()
        }
        error => error,
    }
}

/// A number unique to this thread in this process.
pub(super) fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}

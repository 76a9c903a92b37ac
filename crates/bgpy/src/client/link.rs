//! One connection to a server, shared by the threads of a process without a thread of its own.
//!
//! A caller writes on its own thread. Of the callers that wait for an answer, one reads for all of
//! them; when it has its own answer, it passes the reading on.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bgpy_proto::client::Event;
use bgpy_proto::{
    CallKind, ClientSession, Delivered, Failure, FailureCode, LogReply, LogRequest, Payload,
    ServerHello, Status, Want,
};
use socket2::Socket;

use super::call::Call;
use super::probe::Probe;
use super::proof::Proof;
use super::reading::Reading;
use super::wait::Wait;
use crate::clock;
use crate::error::{CallError, ConnectError, Lost};
use crate::memory;
use crate::nesting::Waiting;
use crate::platform::{self, Private};
use crate::segments::Segments;
use crate::sync::{lock, try_lock};

/// After this long without a call, in microseconds, a connection is looked at before it is used
/// again. Calls in a row need no look, and no server is replaced in so short a time.
const IDLE_US: u64 = 500;

/// One connection.
#[derive(Debug)]
pub struct Link {
    pub(super) socket: Private<Socket>,
    pub(super) server: String,
    hello: ServerHello,
    proof: Proof,
    /// The fork generation of the process that opened it.
    process: u32,
    opened: Instant,
    /// Microseconds from `opened` to the last use.
    used_us: AtomicU64,
    is_lost: AtomicBool,
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
    pub(super) reading: Mutex<Reading>,
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

/// A response of a task.
#[derive(Debug)]
pub struct Response {
    /// What it says.
    pub message: Delivered,
    /// Whether the task marked it as an error.
    pub error: bool,
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
            reading: Mutex::new(Reading::new(now)),
        }
    }

    /// What the server told of itself.
    pub fn hello(&self) -> &ServerHello {
        &self.hello
    }

    /// Confirms that the server takes calls by this connection.
    fn check_load(&self) -> Result<(), CallError> {
        let Some(why) = &self.hello.overloaded else { return Ok(()) };
        let text = format!(
            "{why}: try again when it has closed some, or start it with a higher limit (ulimit -n)"
        );
        let failure = Box::new(Failure::new(FailureCode::Overloaded, text));
        Err(CallError::Failed { server: self.server.clone(), failure, object: None })
    }

    /// What the server has proven.
    pub(super) fn proof(&self) -> Proof {
        self.proof
    }

    /// Whether calls can be made: it belongs to this process (and not to the parent it was forked
    /// from) and, as far as one can tell, to a server that lives. `now` counts as a use.
    pub fn is_usable(&self, now: Instant) -> bool {
        let is_closed = !self.is_here() || self.is_lost.load(Ordering::Acquire);
        // Those who wait on a silent one go on waiting; its answers may still come.
        if is_closed || self.is_written_here() || self.is_silent(now) {
            return false;
        }
        let now_us = now.saturating_duration_since(self.opened).as_micros() as u64;
        let used_us = self.used_us.swap(now_us, Ordering::Relaxed);
        let is_in_use = now_us.saturating_sub(used_us) <= IDLE_US && !self.is_ending();
        if is_in_use || self.is_connected() {
            return true;
        }
        self.lose(Lost::Closed);
        false
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
    fn is_written_here(&self) -> bool {
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

    /// Looks whether the server has closed the connection while nobody was reading, and whether somebody
    /// in this process has, in which case its descriptor may be another one's.
    fn is_connected(&self) -> bool {
        if !self.socket.is_intact() {
            return false;
        }
        let Some(_reading) = try_lock(&self.reading) else { return true };
        match platform::wait(&self.socket, true, false, Duration::ZERO) {
            Ok(ready) if ready.readable => {
                !matches!(self.socket.peek(&mut [MaybeUninit::uninit()]), Ok(0) | Err(_))
            }
            _ => true,
        }
    }

    /// Closes the connection; calls under way end with [`Lost::Dropped`].
    pub fn close(&self) {
        self.lose(Lost::Dropped);
    }

    /// Makes a call and returns when the server has accepted it.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn accepted(
        &self,
        kind: CallKind,
        payload: Payload,
        wait: &Wait<'_>,
    ) -> Result<(), CallError> {
        let mut call = self.begin(kind, Want::Ack, payload, wait)?;
        match call.event(wait)? {
            Event::Accepted => call.done(()),
            event => Err(call.failed(event)),
        }
    }

    /// Makes a call and returns its first response.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn first(
        &self,
        kind: CallKind,
        payload: Payload,
        wait: &Wait<'_>,
    ) -> Result<Response, CallError> {
        let _waiting = self.waiting()?;
        let mut call = self.begin(kind, Want::First, payload, wait)?;
        let response = call.next(wait)?;
        response.ok_or_else(|| CallError::NoResponse { server: self.server.clone() })
    }

    /// Sends the tasks; `false` when the server had been initialised before.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn initialize(&self, payload: Payload, wait: &Wait<'_>) -> Result<bool, CallError> {
        let _waiting = self.waiting()?;
        let mut call = self.begin(CallKind::Init, Want::All, payload, wait)?;
        loop {
            match call.event(wait)? {
                // What init_task responds does not matter: its end does.
                Event::Accepted | Event::Response { .. } | Event::NoMemory { last: false, .. } => {}
                Event::Ended { already } => return call.done(!already),
                event => return Err(call.failed(event)),
            }
        }
    }

    /// Asks for the status.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn status(&self, wait: &Wait<'_>) -> Result<Status, CallError> {
        let mut call = self.submit(wait, |session| Ok(session.status()))?;
        match call.event(wait)? {
            Event::Status(status) => call.done(*status),
            event => Err(call.failed(event)),
        }
    }

    /// Asks for a piece of the server's log. What follows it is asked for with its cursor; to follow a
    /// log is to ask again after a while.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn log(&self, request: &LogRequest, wait: &Wait<'_>) -> Result<LogReply, CallError> {
        let mut call = self.submit(wait, |session| Ok(session.log(request)))?;
        match call.event(wait)? {
            Event::Log(reply) => call.done(*reply),
            event => Err(call.failed(event)),
        }
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn ping(&self, wait: &Wait<'_>) -> Result<(), CallError> {
        self.check_load()?;
        let mut call = self.submit(wait, |session| Ok(session.ping()))?;
        match call.event(wait)? {
            Event::Pong => call.done(()),
            event => Err(call.failed(event)),
        }
    }

    /// Waits until the server closes the connection, which it does when it ends.
    ///
    /// # Errors
    /// [`CallError`], also when the connection is lost in another way than by the server's end.
    pub fn wait_closed(&self, wait: &Wait<'_>) -> Result<(), CallError> {
        let _waiting = self.waiting()?;
        // An answer to nothing: it comes only when the connection is lost.
        let mut never = Call::new(self, u64::MAX);
        (never.accepted, never.over) = (true, true);
        match never.event(wait) {
            Err(CallError::Lost { reason: Lost::Closed | Lost::Io(_), .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(event) => Err(never.failed(event)),
        }
    }

    /// Notes that this thread waits for the server.
    ///
    /// # Errors
    /// [`CallError::WouldDeadlock`], when this thread runs a task that the server has to end first.
    #[inline]
    pub(super) fn waiting(&self) -> Result<Waiting, CallError> {
        Waiting::begin(self.hello.instance, self.hello.pid)
            .ok_or_else(|| CallError::WouldDeadlock { server: self.server.clone() })
    }

    /// Sends a call.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn begin(
        &self,
        kind: CallKind,
        want: Want,
        mut payload: Payload,
        wait: &Wait<'_>,
    ) -> Result<Call<'_>, CallError> {
        // Let go of here, with nothing locked, because its owner may have to wait for that.
        let _shared = payload.shared();
        if kind != CallKind::Exit {
            self.check_load()?;
        }
        let segments = self.segments.as_ref().filter(|_| !payload.buffers.is_empty());
        let loans = segments.map(|segments| segments.lend(&mut payload));
        let mut call = self.submit(wait, |session| {
            session.call(kind, want, payload).map_err(CallError::Message)
        })?;
        call.ends = kind == CallKind::Exit;
        if let Some(loans) = loans {
            loans.sent();
        }
        Ok(call)
    }

    fn submit(
        &self,
        wait: &Wait<'_>,
        request: impl FnOnce(&mut ClientSession) -> Result<u64, CallError>,
    ) -> Result<Call<'_>, CallError> {
        let is_late = self.is_ending();
        let sent = self.turn_to_write(wait).and_then(|mut state| {
            let id = request(&mut state.session)?;
            let mut call = Call::new(self, id);
            call.is_late = is_late;
            self.flush(state, wait).map(|()| call)
        });
        sent.map_err(|error| if is_late { too_late(error) } else { error })
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

//! One connection to a server, shared by the threads of a process without a thread of its own.
//!
//! A caller writes on its own thread. Of the callers that wait for an answer, one reads for all of
//! them; when it has its own answer, it passes the reading on.

use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bgpy_proto::client::Event;
use bgpy_proto::{
    CallKind, ClientSession, Delivered, Outbox, Payload, ServerHello, Status, Want, limits,
};
use socket2::Socket;

use super::wait::{SLICE, Wait};
use crate::error::{CallError, Lost};
use crate::platform;
use crate::sync::{lock, try_lock};

/// Bytes that one read takes at most.
const READ_BYTES: usize = 64 << 10;

/// After this long without traffic, a connection is looked at before it is used again.
const IDLE_MS: u64 = 1000;

/// One connection.
#[derive(Debug)]
pub struct Link {
    socket: Socket,
    server: String,
    hello: ServerHello,
    /// The fork generation of the process that opened it.
    process: u32,
    opened: Instant,
    /// Milliseconds from `opened` to the last use.
    used_ms: AtomicU64,
    is_lost: AtomicBool,
    state: Mutex<LinkState>,
    answered: Condvar,
    /// Held by the caller that reads for all.
    reading: Mutex<Reading>,
}

#[derive(Debug)]
struct LinkState {
    session: ClientSession,
    lost: Option<Lost>,
    /// Whether a caller is writing a message that the socket did not take at once. What was
    /// submitted first must leave first, so others wait with theirs.
    writing: bool,
    /// Callers that sleep until the one that reads wakes them.
    sleepers: usize,
}

#[derive(Debug)]
struct Reading {
    buffer: Vec<u8>,
    /// Whether something came since `heard` was last set. The clock is read only when nothing comes.
    fresh: bool,
    heard: Instant,
    /// When the server was asked for a sign of life that has not come yet.
    pinged: Option<Instant>,
}

/// A response of a task.
#[derive(Debug)]
pub struct Response {
    /// What it says.
    pub message: Delivered,
    /// Whether the task marked it as an error.
    pub error: bool,
}

/// A call under way. Dropping it tells the server that nobody listens any more.
#[derive(Debug)]
pub struct Call<'a> {
    link: &'a Link,
    id: u64,
    accepted: bool,
    over: bool,
}

impl Link {
    pub(super) fn new(socket: Socket, server: String, session: ClientSession) -> Self {
        let now = Instant::now();
        Self {
            socket,
            server,
            hello: session.server().clone(),
            process: platform::fork_generation(),
            opened: now,
            used_ms: AtomicU64::new(0),
            is_lost: AtomicBool::new(false),
            state: Mutex::new(LinkState { session, lost: None, writing: false, sleepers: 0 }),
            answered: Condvar::new(),
            reading: Mutex::new(Reading {
                buffer: Vec::new(),
                fresh: false,
                heard: now,
                pinged: None,
            }),
        }
    }

    /// What the server told of itself.
    pub fn hello(&self) -> &ServerHello {
        &self.hello
    }

    /// Whether calls can be made: it belongs to this process (and not to the parent it was forked
    /// from) and, as far as one can tell, to a server that lives. `now` counts as a use.
    pub fn is_usable(&self, now: Instant) -> bool {
        if self.process != platform::fork_generation() || self.is_lost.load(Ordering::Acquire) {
            return false;
        }
        let now_ms = now.saturating_duration_since(self.opened).as_millis() as u64;
        let used_ms = self.used_ms.swap(now_ms, Ordering::Relaxed);
        now_ms.saturating_sub(used_ms) <= IDLE_MS || self.is_connected()
    }

    /// Looks whether the server has closed the connection while nobody was reading.
    fn is_connected(&self) -> bool {
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
        let mut call = self.begin(kind, Want::First, payload, wait)?;
        let response = call.next(wait)?;
        response.ok_or_else(|| CallError::NoResponse { server: self.server.clone() })
    }

    /// Sends the tasks; `false` when the server had been initialised before.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn initialize(&self, payload: Payload, wait: &Wait<'_>) -> Result<bool, CallError> {
        let mut call = self.begin(CallKind::Init, Want::All, payload, wait)?;
        loop {
            match call.event(wait)? {
                // What init_task responds does not matter: its end does.
                Event::Accepted | Event::Response { .. } => {}
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
            Event::Status(status) => call.done(status),
            event => Err(call.failed(event)),
        }
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn ping(&self, wait: &Wait<'_>) -> Result<(), CallError> {
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
        // An answer to nothing: it comes only when the connection is lost.
        let mut never = Call { link: self, id: u64::MAX, accepted: true, over: true };
        match never.event(wait) {
            Err(CallError::Lost { reason: Lost::Closed | Lost::Io(_), .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(event) => Err(never.failed(event)),
        }
    }

    /// Sends a call.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn begin(
        &self,
        kind: CallKind,
        want: Want,
        payload: Payload,
        wait: &Wait<'_>,
    ) -> Result<Call<'_>, CallError> {
        self.submit(wait, |session| session.call(kind, want, payload).map_err(CallError::Message))
    }

    fn submit(
        &self,
        wait: &Wait<'_>,
        request: impl FnOnce(&mut ClientSession) -> Result<u64, CallError>,
    ) -> Result<Call<'_>, CallError> {
        let mut state = self.turn_to_write(wait)?;
        let id = request(&mut state.session)?;
        let call = Call { link: self, id, accepted: false, over: false };
        self.flush(state, wait)?;
        Ok(call)
    }

    /// Waits until no other caller is writing.
    fn turn_to_write(&self, wait: &Wait<'_>) -> Result<MutexGuard<'_, LinkState>, CallError> {
        let mut state = lock(&self.state);
        loop {
            if let Some(lost) = &state.lost {
                return Err(self.lost(lost.clone()));
            }
            if !state.writing {
                return Ok(state);
            }
            let slice = wait.slice().ok_or_else(|| self.timed_out(wait, false))?;
            state = self.sleep(state, slice);
            if wait.is_interrupted() {
                return Err(CallError::Interrupted);
            }
        }
    }

    /// Sleeps until another caller has changed something, or the time is over.
    fn sleep<'a>(
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

    /// Writes what the session has put into its outbox: at once as a rule, with others waiting for
    /// their turn when the socket is full.
    fn flush(
        &self,
        mut state: MutexGuard<'_, LinkState>,
        wait: &Wait<'_>,
    ) -> Result<(), CallError> {
        match self.send(&mut state.session.outbox) {
            Ok(()) if state.session.outbox.is_empty() => return Ok(()),
            Ok(()) => {}
            Err(kind) => {
                drop(state);
                return Err(self.lost(self.lose(Lost::Io(kind))));
            }
        }
        state.writing = true;
        let outbox = std::mem::take(&mut state.session.outbox);
        drop(state);
        let result = self.write(outbox, wait);
        let mut state = lock(&self.state);
        state.writing = false;
        self.wake_sleepers(&state);
        result
    }

    /// Writes what the socket takes without waiting.
    fn send(&self, outbox: &mut Outbox) -> Result<(), io::ErrorKind> {
        while !outbox.is_empty() {
            let sent = if outbox.is_single() {
                platform::send_now(&self.socket, outbox.front())
            } else {
                platform::send_slices_now(&self.socket, &outbox.slices())
            };
            match sent {
                Ok(bytes) => outbox.advance(bytes),
                Err(error) if is_pause(error.kind()) => return Ok(()),
                Err(error) => return Err(error.kind()),
            }
        }
        Ok(())
    }

    /// Writes everything. While the server does not take it, its answers are read, so that two
    /// sides that write large messages to each other do not wait for ever.
    fn write(&self, mut outbox: Outbox, wait: &Wait<'_>) -> Result<(), CallError> {
        let mut moved = Instant::now();
        while !outbox.is_empty() {
            if let Err(error) = self.make_room(&mut moved, wait) {
                // Half a frame is out: nothing can follow it on this connection.
                self.lose(Lost::Dropped);
                return Err(error);
            }
            let before = outbox.len();
            self.send(&mut outbox).map_err(|kind| self.lost(self.lose(Lost::Io(kind))))?;
            if outbox.len() < before {
                moved = Instant::now();
            }
        }
        Ok(())
    }

    /// Waits until the server takes more, and reads what it sends meanwhile.
    fn make_room(&self, moved: &mut Instant, wait: &Wait<'_>) -> Result<(), CallError> {
        let slice = wait.slice().ok_or_else(|| self.timed_out(wait, false))?;
        match platform::wait(&self.socket, true, true, slice) {
            Ok(ready) if ready.readable => {
                if let Some(mut reading) = try_lock(&self.reading) {
                    self.read(&mut reading).map_err(|lost| self.lost(lost))?;
                    *moved = Instant::now();
                    let state = lock(&self.state);
                    drop(reading);
                    self.wake_sleepers(&state);
                }
            }
            Ok(_) => {}
            Err(error) if is_pause(error.kind()) => {}
            Err(error) => return Err(self.lost(self.lose(Lost::Io(error.kind())))),
        }
        if wait.is_interrupted() {
            return Err(CallError::Interrupted);
        }
        let silence = Duration::from_millis(limits::SILENCE_MS);
        if moved.elapsed() > silence {
            return Err(self.lost(self.lose(Lost::Silent(silence))));
        }
        Ok(())
    }

    /// Waits for something to happen to a call.
    fn next_event(&self, call: u64, wait: &Wait<'_>) -> Result<Event, WaitEnd> {
        loop {
            if let Some(reading) = try_lock(&self.reading) {
                return self.read_until(call, reading, wait);
            }
            let mut state = lock(&self.state);
            if let Some(event) = state.event(call)? {
                return Ok(event);
            }
            // With the state locked, the reader cannot leave unnoticed: it lets go of the reading
            // with the state locked as well, and wakes the sleepers then.
            if try_lock(&self.reading).is_some() {
                continue;
            }
            let slice = wait.slice().ok_or(WaitEnd::Timeout)?;
            drop(self.sleep(state, slice));
            if wait.is_interrupted() {
                return Err(WaitEnd::Interrupted);
            }
        }
    }

    /// Reads for all callers until something has happened to this one's call.
    fn read_until(
        &self,
        call: u64,
        mut reading: MutexGuard<'_, Reading>,
        wait: &Wait<'_>,
    ) -> Result<Event, WaitEnd> {
        // Silence counts from when somebody began to listen.
        reading.heard = reading.heard.max(wait.since());
        let mut state = lock(&self.state);
        let outcome = loop {
            match state.event(call) {
                Ok(None) => drop(state),
                Ok(Some(event)) => break Ok(event),
                Err(end) => break Err(end),
            }
            let outcome = self.read_for(&mut reading, wait);
            state = lock(&self.state);
            if let Err(end) = outcome {
                break Err(end);
            }
            self.wake_sleepers(&state);
        };
        // Whoever slept while this thread was reading has to read for itself now.
        drop(reading);
        self.wake_sleepers(&state);
        outcome
    }

    /// Waits for a slice of time for bytes from the server, and digests them.
    fn read_for(&self, reading: &mut Reading, wait: &Wait<'_>) -> Result<(), WaitEnd> {
        let slice = wait.slice().ok_or(WaitEnd::Timeout)?;
        // The socket itself wakes up after SLICE; a shorter wait needs a poll before.
        let ready = slice == SLICE
            || match platform::wait(&self.socket, true, false, slice) {
                Ok(ready) => ready.readable,
                Err(error) if is_pause(error.kind()) => false,
                Err(error) => return Err(WaitEnd::Lost(self.lose(Lost::Io(error.kind())))),
            };
        if ready && self.read(reading).map_err(WaitEnd::Lost)? {
            return Ok(());
        }
        if wait.is_interrupted() {
            return Err(WaitEnd::Interrupted);
        }
        self.watch(reading)
    }

    /// Reads once; `false` when nothing came within a slice of time.
    fn read(&self, reading: &mut Reading) -> Result<bool, Lost> {
        if reading.buffer.is_empty() {
            reading.buffer = vec![0; READ_BYTES];
        }
        match (&self.socket).read(&mut reading.buffer) {
            Ok(0) => Err(self.lose(Lost::Closed)),
            Ok(count) => {
                reading.fresh = true;
                reading.pinged = None;
                let fed = lock(&self.state).session.feed(&reading.buffer[..count]);
                fed.map(|()| true).map_err(|error| self.lose(Lost::Protocol(error)))
            }
            Err(error) if is_pause(error.kind()) => Ok(false),
            Err(error) => Err(self.lose(Lost::Io(error.kind()))),
        }
    }

    /// Asks a silent server for a sign of life, and gives it up when none comes.
    fn watch(&self, reading: &mut Reading) -> Result<(), WaitEnd> {
        let after = Duration::from_millis(limits::PING_AFTER_MS);
        let silence = Duration::from_millis(limits::SILENCE_MS);
        if std::mem::take(&mut reading.fresh) {
            reading.heard = Instant::now();
        }
        match reading.pinged {
            Some(pinged) if pinged.elapsed() > silence - after => {
                Err(WaitEnd::Lost(self.lose(Lost::Silent(silence))))
            }
            None if reading.heard.elapsed() > after => {
                let mut state = lock(&self.state);
                // A caller that is writing notices a silent server itself.
                if state.writing {
                    return Ok(());
                }
                let ping = state.session.ping();
                state.session.forget(ping);
                reading.pinged = Some(Instant::now());
                let sent = self.send(&mut state.session.outbox);
                let stuck = sent.is_err() || !state.session.outbox.is_empty();
                drop(state);
                // A ping that does not fit: the server has taken nothing for a long time.
                if stuck { Err(WaitEnd::Lost(self.lose(Lost::Silent(after)))) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    fn wake_sleepers(&self, state: &LinkState) {
        if state.sleepers > 0 {
            self.answered.notify_all();
        }
    }

    /// Marks the connection as lost, for the first reason that was found, and returns that.
    fn lose(&self, reason: Lost) -> Lost {
        let mut state = lock(&self.state);
        let reason = state.lost.get_or_insert(reason).clone();
        // Whoever reads is woken by the end of the stream. A forked child shares the stream with
        // its parent and leaves it alone.
        self.is_lost.store(true, Ordering::Release);
        if self.process == platform::fork_generation() {
            drop(self.socket.shutdown(std::net::Shutdown::Both));
        }
        self.wake_sleepers(&state);
        reason
    }

    fn lost(&self, reason: Lost) -> CallError {
        CallError::Lost { server: self.server.clone(), reason }
    }

    fn timed_out(&self, wait: &Wait<'_>, accepted: bool) -> CallError {
        let after = wait.limit().unwrap_or_default();
        CallError::Timeout { server: self.server.clone(), after, accepted }
    }
}

/// Why a wait ended without an event.
enum WaitEnd {
    Timeout,
    Interrupted,
    Lost(Lost),
}

impl LinkState {
    fn event(&mut self, call: u64) -> Result<Option<Event>, WaitEnd> {
        match self.session.poll(call) {
            Some(event) => Ok(Some(event)),
            None => self.lost.clone().map_or(Ok(None), |lost| Err(WaitEnd::Lost(lost))),
        }
    }
}

impl Call<'_> {
    /// Waits for the next response; `None` when the call has ended.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn next(&mut self, wait: &Wait<'_>) -> Result<Option<Response>, CallError> {
        loop {
            if self.over {
                return Ok(None);
            }
            match self.event(wait)? {
                Event::Accepted => self.accepted = true,
                Event::Response { message, error, last } => {
                    self.over |= last;
                    return Ok(Some(Response { message, error }));
                }
                Event::Ended { .. } => self.over = true,
                event => return Err(self.failed(event)),
            }
        }
    }

    fn event(&mut self, wait: &Wait<'_>) -> Result<Event, CallError> {
        self.link.next_event(self.id, wait).map_err(|end| match end {
            WaitEnd::Timeout => self.link.timed_out(wait, self.accepted),
            WaitEnd::Interrupted => CallError::Interrupted,
            WaitEnd::Lost(reason) => self.link.lost(reason),
        })
    }

    /// Notes that nothing more is to come.
    fn done<T>(&mut self, result: T) -> Result<T, CallError> {
        self.over = true;
        Ok(result)
    }

    fn failed(&mut self, event: Event) -> CallError {
        self.over = true;
        match event {
            Event::Failed { failure, object } => CallError::Failed {
                server: self.link.server.clone(),
                failure: Box::new(failure),
                object: object.map(Box::new),
            },
            // The session lets only events through that fit the request.
            _ => self.link.lost(self.link.lose(Lost::Closed)),
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut state = lock(&self.link.state);
        if state.lost.is_some() || state.writing {
            state.session.forget(self.id);
            return;
        }
        // The cancel saves the server work. Where it would have to wait, the connection is stuck.
        state.session.cancel(self.id);
        let sent = self.link.send(&mut state.session.outbox);
        let stuck = sent.is_err() || !state.session.outbox.is_empty();
        drop(state);
        if stuck {
            self.link.lose(Lost::Dropped);
        }
    }
}

/// Whether an error of a socket only means that nothing happened yet.
fn is_pause(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

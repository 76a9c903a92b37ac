//! Connections and calls of a server, behind one lock that is never held while waiting.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgpy_proto::handshake::is_question;
use bgpy_proto::{Failure, Id, Psk, ServerHello, limits};
use mio::event::Event;
use mio::{Interest, Registry as PollRegistry, Token as PollToken};

use super::calls::Calls;
use super::connections::connection::{Connection, Over, Progress};
use super::connections::dead_peers::is_unreachable;
use super::connections::log_limiter::{Kind, LogLimiter};
use super::connections::overflow::Overflow;
use super::connections::pending::Pending;
use super::connections::ready_queue::{ByToken, ReadyQueue};
use super::connections::reserve::Reserve;
use super::reactor::poller_check::PollerCheck;
use super::reactor::signal::Waker;
use super::registration::Registration;
use super::status::StatusReporter;
use crate::clock;
use crate::duration::shown;
use crate::log::Log;
use crate::platform::{self, Private};
use crate::registry::Ending;
use crate::transport::Listener;

/// Bytes read from one connection before the others get their turn.
const READ_TURN_BYTES: usize = 256 << 10;

/// The longest wait of the poller, whose timeout is limited to a few weeks.
const POLL_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The first token of connections; smaller ones are listeners.
const FIRST_CONNECTION: usize = 16;

pub(super) struct Core {
    pub(super) poll_registry: Private<PollRegistry>,
    waker: Arc<Waker>,
    pub(super) listeners: Vec<Private<Listener>>,
    /// Connections that have not finished the handshake.
    pub(super) pending: Pending,
    /// Descriptors that let clients in when the process is out of them.
    pub(super) reserve: Reserve,
    /// Connections accepted only to be told that descriptors have run out.
    pub(super) overflow: Overflow,
    pub(super) connections: HashMap<usize, Connection, ByToken>,
    pub(super) next_connection: usize,
    pub(super) log_limiter: LogLimiter,
    /// Connections that may have bytes to read.
    unread: ReadyQueue,
    /// Connections that may accept more of their queued output.
    unwritten: ReadyQueue,
    pub(super) calls: Calls,
    pub(super) reporter: StatusReporter,
    pub(super) psk: Psk,
    /// Whether clients without a token are accepted.
    pub(super) is_open: bool,
    pub(super) hello: ServerHello,
    pub(super) log: Log,
    pub(super) registration: Registration,
    pub(super) is_retired: bool,
}

/// A poller event for a listener or a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct PollEvent {
    pub(super) token: usize,
    pub(super) is_read_closed: bool,
    pub(super) is_writable: bool,
}

impl From<&Event> for PollEvent {
    fn from(event: &Event) -> Self {
        let PollToken(token) = event.token();
        let (is_read_closed, is_writable) = (event.is_read_closed(), event.is_writable());
        Self { token, is_read_closed, is_writable }
    }
}

/// What a core is made of.
pub(super) struct CoreParts {
    pub(super) poll_registry: Private<PollRegistry>,
    pub(super) listeners: Vec<Private<Listener>>,
    pub(super) psk: Psk,
    pub(super) is_open: bool,
    pub(super) hello: ServerHello,
    pub(super) log: Log,
    pub(super) registration: Registration,
    /// The idle timeout of the server.
    pub(super) idle_timeout: Option<Duration>,
}

impl Core {
    pub(super) fn new(parts: CoreParts, waker: Arc<Waker>) -> io::Result<Self> {
        let CoreParts {
            poll_registry,
            mut listeners,
            psk,
            is_open,
            hello,
            log,
            registration,
            idle_timeout,
        } = parts;
        for (index, listener) in listeners.iter_mut().enumerate() {
            poll_registry.register(listener.source(), PollToken(index), Interest::READABLE)?;
        }
        Ok(Self {
            poll_registry,
            waker,
            pending: Pending::new(platform::descriptors_max()),
            reserve: Reserve::new(),
            overflow: Overflow::default(),
            listeners,
            connections: HashMap::default(),
            next_connection: FIRST_CONNECTION,
            log_limiter: LogLimiter::default(),
            unread: ReadyQueue::default(),
            unwritten: ReadyQueue::default(),
            reporter: StatusReporter::new(registration.name().cloned(), log.clone()),
            calls: Calls::new(idle_timeout),
            psk,
            is_open,
            hello,
            log,
            registration,
            is_retired: false,
        })
    }

    /// Logs an event caused by an unauthenticated connection, or counts it.
    pub(super) fn note(&mut self, kind: Kind, what: &dyn fmt::Display) {
        let level = kind.level();
        if self.log.takes(level) && self.log_limiter.note(kind, what, clock::now()) {
            self.log.write(level, what);
        }
    }

    /// Logs the counted events that are due by `until`.
    pub(super) fn log_counted(&mut self, until: Instant) {
        let lines = self.log_limiter.tell(until).into_iter();
        lines.for_each(|(level, line)| self.log.write(level, line));
    }

    /// The server's identity.
    pub(super) fn instance(&self) -> Id {
        self.hello.instance
    }

    /// Handles a poller event.
    pub(super) fn ready(&mut self, PollEvent { token, is_read_closed, is_writable }: PollEvent) {
        if let Some(listener) = self.listeners.get(token) {
            self.pending.listener_ready(token, listener.is_unix());
            return;
        }
        if is_read_closed && let Some(connection) = self.connections.get_mut(&token) {
            connection.expect_end();
        }
        if is_writable {
            self.flush(token);
        }
        self.mark_readable(token);
    }

    /// Notes that a connection may have bytes to read.
    pub(super) fn mark_readable(&mut self, token: usize) {
        if !self.pending.mark_readable(token) {
            self.unread.push(token);
        }
    }

    /// Does one turn of work on everything that is ready.
    ///
    /// # Errors
    /// The system's error when a listener or the poller is gone.
    pub(super) fn proceed(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        for _ in 0..self.unwritten.len() {
            let Some(token) = self.unwritten.pop() else { break };
            self.flush(token);
        }
        for _ in 0..self.unread.len() {
            let Some(token) = self.unread.pop() else { break };
            self.read(token, scratch);
        }
        self.receive(scratch)?;
        if self.log_limiter.due().is_some_and(|at| at <= clock::now()) {
            self.log_counted(clock::now());
        }
        if self.calls.idle_until().is_some_and(|at| at <= clock::now()) {
            let limit = shown(self.calls.idle_timeout().unwrap_or_default());
            self.log.info(format_args!("no call for {limit}, the idle timeout: ending"));
            self.stop();
        }
        // What ended in this turn may have freed missing descriptors.
        self.reserve.fill();
        Ok(())
    }

    /// Checks that the poller, and the listeners as long as the server accepts calls, still exist.
    pub(super) fn check(&self, poller_check: PollerCheck) -> io::Result<()> {
        poller_check.check(&self.listeners)
    }

    /// How long the poller may wait before there is work here; `None` means forever.
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        let ready = [&self.unread, &self.unwritten];
        if ready.iter().any(|queue| !queue.is_empty()) {
            return Some(Duration::ZERO);
        }
        if let Some(wait) = self.pending.wait() {
            return Some(wait);
        }
        let moments = [self.pending.soonest(), self.calls.idle_until(), self.log_limiter.due()];
        let soonest = moments.into_iter().flatten().min()?;
        // Rounded up, so that the time has passed when the poller returns.
        let left = soonest.saturating_duration_since(clock::now()) + Duration::from_millis(1);
        Some(left.min(POLL_TIMEOUT_MAX))
    }

    /// Reads and serves one connection, for one turn.
    pub(super) fn read(&mut self, token: usize, scratch: &mut [u8]) {
        let mut left = READ_TURN_BYTES / scratch.len();
        self.reporter.may_read_log = true;
        let outcome = loop {
            let Some(connection) = self.connections.get_mut(&token) else { return };
            if connection.backlog() > limits::OUTBOX_PAUSE_BYTES {
                // Read no requests from a peer that does not read its answers; `flush` resumes it.
                break Ok(());
            }
            let was_session = connection.is_session();
            let progress = match connection.read(scratch, &mut self.pending.replays) {
                Ok(progress) => progress,
                Err(over) => break Err(over),
            };
            if connection.is_session() && !was_session {
                self.pending.remove(token);
                connection.enable_keepalive();
                self.reporter.clients += 1;
                self.log.debug(format_args!("client connected: {}", connection.peer));
            } else if connection.has_answered_handshake() {
                self.pending.answered(token);
            }
            let was_ending = self.calls.is_ending();
            let overload = connection.overloaded.clone();
            if let Some(session) = connection.session() {
                while let Some(request) = session.poll() {
                    let overload = overload.as_deref();
                    if let Some(other) = self.calls.admit(session, token, request, overload) {
                        self.reporter.answer(session, token, &other, &self.calls);
                    }
                }
            }
            // Retire before the ack of an EXIT is sent: its caller may start a successor at once.
            if self.calls.has_exit() {
                if !was_ending {
                    let peer = &connection.peer;
                    self.log
                        .info(format_args!("stop requested by a client on {peer}: no more calls"));
                }
                self.retire();
            }
            left -= 1;
            match progress {
                Progress::More if left == 0 => {
                    self.mark_readable(token);
                    break Ok(());
                }
                Progress::More => {}
                Progress::Emptied | Progress::Nothing => break Ok(()),
            }
        };
        match outcome {
            Ok(()) => self.flush(token),
            // Send a refused peer its error, if any, before closing.
            Err(over) => self.give_up(token, over),
        }
    }

    fn give_up(&mut self, token: usize, over: Over) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        drop(connection.flush(&self.poll_registry));
        match over {
            Over::Closed => self.close(token, "closed by the peer"),
            Over::Io(error) => {
                if is_unreachable(&error) {
                    self.log_dead_peer(token, &error.to_string());
                }
                self.close(token, &error.to_string());
            }
            Over::Protocol(error) if is_question(&error) => self.close(token, "answered"),
            Over::Protocol(error) => {
                let what = format!("connection from {} refused: {error}", connection.peer);
                self.note(Kind::refused(&error), &what);
                self.close(token, "refused");
            }
        }
    }

    /// Writes the queued output of a connection.
    pub(super) fn flush(&mut self, token: usize) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        if connection.is_flushed() {
            return;
        }
        let paused = connection.backlog() > limits::OUTBOX_PAUSE_BYTES;
        let more = match connection.flush(&self.poll_registry) {
            Ok(more) => more,
            Err(over) => return self.give_up(token, over),
        };
        let resumed = paused && connection.backlog() <= limits::OUTBOX_PAUSE_BYTES;
        if resumed {
            self.unread.push(token);
        }
        if more {
            self.unwritten.push(token);
        }
        if more || resumed {
            // The leader may be asleep without a timeout for this connection.
            self.waker.wake();
        }
    }

    /// Closes a connection with a reset where possible, so that its peer does not mistake EOF for
    /// an answer.
    pub(super) fn cut(&mut self, token: usize, why: &str) {
        if let Some(connection) = self.connections.get(&token) {
            connection.discard_unsent();
        }
        self.close(token, why);
    }

    pub(super) fn close(&mut self, token: usize, why: &str) {
        let Some(mut connection) = self.connections.remove(&token) else { return };
        connection.deregister(&self.poll_registry);
        connection.trim();
        let (is_session, peer) = (connection.is_session(), std::mem::take(&mut connection.peer));
        // The descriptor is free from here on.
        drop(connection);
        self.note_gone(token);
        let what = format_args!("connection from {peer} ended: {why}");
        if is_session {
            self.reporter.clients -= 1;
            self.log.debug(what);
        } else {
            self.pending.gone(token);
            self.note(Kind::Left, &what);
        }
    }

    /// Whether there is work for the executing thread.
    pub(super) fn has_work(&self) -> bool {
        self.calls.has_waiting() || self.calls.is_stopping()
    }

    /// Acks the running call and the queued ones, because the task takes a while.
    pub(super) fn ack_all(&mut self, running_for: Duration) {
        self.calls.ack_at_once = true;
        self.calls.mark_long(running_for);
        let calls: Vec<_> = self.calls.accepted().collect();
        for (connection, id) in calls {
            self.with_session(connection, |session| session.ack(id));
        }
    }

    /// Rejects new calls and answers the queued ones.
    pub(super) fn stop(&mut self) {
        self.refuse();
        self.retire();
    }

    /// Like [`stop`](Self::stop), but keeps the listeners and the entry: the next process may be
    /// the same server.
    pub(super) fn refuse(&mut self) {
        for call in self.calls.stop() {
            self.conclude(call.connection, call.id, &Err(Failure::stopping()));
        }
    }

    /// Closes the listeners and removes the registry entry, so that a successor can take over.
    pub(super) fn retire(&mut self) {
        if std::mem::replace(&mut self.is_retired, true) {
            return;
        }
        for listener in &mut self.listeners {
            drop(self.poll_registry.deregister(listener.source()));
        }
        self.listeners.clear();
        self.registration.retire();
    }

    /// The server's entry in the registry.
    pub(super) fn registration(&self) -> &Registration {
        &self.registration
    }

    /// Leaves entry and listeners to the supervisor if that restarts the server after a failed
    /// start. Clients are told nothing: their requests are for the next process.
    pub(super) fn leave_to_supervisor(&mut self) -> bool {
        let is_left = self.registration.leave_to_supervisor();
        if is_left {
            self.close_sockets();
        }
        is_left
    }

    /// Closes the listeners and records how the server ended.
    pub(super) fn end(&mut self, ending: Ending) {
        self.retire();
        self.registration.end(ending);
    }

    /// Records that the server could not continue, and leaves its listeners to the supervisor if
    /// there is one.
    pub(super) fn fail(&mut self, ending: Ending) {
        self.listeners.clear();
        self.registration.fail(ending);
    }

    /// Closes the listeners and removes all traces of a server that never ran.
    pub(super) fn forget(&mut self) {
        if !self.is_retired {
            self.registration.forget();
            self.retire();
        }
    }

    /// Says goodbye to the clients and closes all sockets.
    pub(super) fn leave(&mut self) {
        let registry = &self.poll_registry;
        self.connections.values_mut().for_each(|connection| connection.say_goodbye(registry));
        self.close_sockets();
    }

    /// Closes all sockets.
    fn close_sockets(&mut self) {
        self.listeners.clear();
        self.connections.clear();
    }

    /// Whether queued output is left.
    pub(super) fn has_backlog(&self) -> bool {
        self.connections.values().any(|connection| connection.backlog() > 0)
    }
}

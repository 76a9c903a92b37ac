//! Connections and calls of a server, behind one lock that is never held while waiting.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgpy_proto::handshake::ServerHandshake;
use bgpy_proto::{Failure, Payload, ProtocolError, Psk, ServerHello, ServerSession, limits};
use mio::event::Event;
use mio::{Interest, Registry, Token, Waker};

use super::calls::{Calls, stopping};
use super::connection::{Connection, Over, Progress, Stream};
use super::handshakes::Handshakes;
use super::listen::Listener;
use crate::journal::Journal;
use crate::platform;

/// Bytes that one connection may bring before the others get their turn.
const READ_TURN_BYTES: usize = 256 << 10;

/// Connections that are accepted before those that exist get their turn.
const ACCEPT_TURN: usize = 64;

/// How long accepting pauses when the process has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The first token of connections; smaller ones are the listeners'.
const FIRST_CONNECTION: usize = 16;

/// Tokens are counted up here, so that no peer can choose them to collide.
type ByToken = BuildHasherDefault<TokenHasher>;

#[derive(Default)]
pub(super) struct TokenHasher(u64);

impl Hasher for TokenHasher {
    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("tokens are hashed as usize")
    }

    fn write_usize(&mut self, token: usize) {
        // Fibonacci hashing: spreads counted numbers over the high bits, which the table looks at.
        self.0 = (token as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

pub(super) struct Core {
    registry: Registry,
    waker: Arc<Waker>,
    listeners: Vec<Listener>,
    /// Listeners that may have connections to accept.
    acceptable: VecDeque<usize>,
    accept_again: Option<Instant>,
    connections: HashMap<usize, Connection, ByToken>,
    next_connection: usize,
    handshakes: Handshakes,
    /// Connections that may have bytes to read.
    unread: VecDeque<usize>,
    pub(super) calls: Calls,
    psk: Psk,
    hello: ServerHello,
    pub(super) journal: Journal,
    /// What is to be done as soon as no more calls are accepted: the registry entry goes.
    retire: Option<Box<dyn FnOnce() + Send>>,
}

/// What a core is made of.
pub(super) struct CoreParts {
    pub(super) registry: Registry,
    pub(super) listeners: Vec<Listener>,
    pub(super) psk: Psk,
    pub(super) hello: ServerHello,
    pub(super) journal: Journal,
    pub(super) retire: Box<dyn FnOnce() + Send>,
}

impl Core {
    pub(super) fn new(parts: CoreParts, waker: Arc<Waker>) -> io::Result<Self> {
        let CoreParts { registry, mut listeners, psk, hello, journal, retire } = parts;
        for (index, listener) in listeners.iter_mut().enumerate() {
            registry.register(listener.source(), Token(index), Interest::READABLE)?;
        }
        Ok(Self {
            registry,
            waker,
            acceptable: VecDeque::new(),
            accept_again: None,
            listeners,
            connections: HashMap::default(),
            next_connection: FIRST_CONNECTION,
            handshakes: Handshakes::default(),
            unread: VecDeque::new(),
            calls: Calls::new(),
            psk,
            hello,
            journal,
            retire: Some(retire),
        })
    }

    /// Takes note of what the poller reports.
    pub(super) fn ready(&mut self, event: &Event) {
        let Token(token) = event.token();
        if token < FIRST_CONNECTION {
            self.acceptable.push_back(token);
            return;
        }
        if event.is_read_closed()
            && let Some(connection) = self.connections.get_mut(&token)
        {
            connection.expect_end();
        }
        if event.is_writable() {
            self.flush(token);
        }
        self.unread.push_back(token);
    }

    /// Does a turn of work on everything that is ready.
    pub(super) fn proceed(&mut self, scratch: &mut [u8]) {
        for _ in 0..self.unread.len() {
            let Some(token) = self.unread.pop_front() else { break };
            self.read(token, scratch);
        }
        // The clock is read only where it matters; a turn for a call needs it not.
        if self.accept_again.is_some_and(|again| again <= Instant::now()) {
            self.accept_again = None;
            self.acceptable.extend(0..self.listeners.len());
        }
        while let Some(index) = self.acceptable.pop_front() {
            if !self.accept(index) {
                break;
            }
        }
        if !self.handshakes.is_empty() {
            self.expire_handshakes(Instant::now());
        }
    }

    /// How long the poller may wait before there is something to do here; none is for ever.
    pub(super) fn patience(&self) -> Option<Duration> {
        if !self.unread.is_empty() || !self.acceptable.is_empty() {
            return Some(Duration::ZERO);
        }
        let soonest = [self.handshakes.soonest(), self.accept_again].into_iter().flatten().min()?;
        // Rounded up, so that the time is over when the poller returns.
        Some(soonest.saturating_duration_since(Instant::now()) + Duration::from_millis(1))
    }

    /// Accepts what waits; `false` when others should get their turn first.
    fn accept(&mut self, index: usize) -> bool {
        for _ in 0..ACCEPT_TURN {
            let Some(listener) = self.listeners.get(index) else { return true };
            match listener.accept() {
                Ok(Some((stream, peer))) => self.greet(stream, peer),
                Ok(None) => {}
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return true,
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    _ => {
                        self.journal.warning(format_args!("cannot accept a connection: {error}"));
                        self.evict_handshake();
                        self.accept_again = Some(Instant::now() + ACCEPT_PAUSE);
                        return true;
                    }
                },
            }
        }
        self.acceptable.push_back(index);
        false
    }

    fn greet(&mut self, stream: Stream, peer: String) {
        if self.handshakes.is_full() {
            self.evict_handshake();
        }
        let token = self.next_connection;
        self.next_connection += 1;
        let clear_allowed = stream.is_unix();
        let handshake = ServerHandshake::new(self.psk.clone(), self.hello.clone(), clear_allowed);
        match Connection::new(stream, Token(token), peer, handshake, &self.registry) {
            Ok(connection) => {
                self.connections.insert(token, connection);
                self.handshakes.add(token, Instant::now());
                // Its first bytes may have come before it was registered.
                self.unread.push_back(token);
            }
            Err(error) => self.journal.warning(format_args!("cannot watch a connection: {error}")),
        }
    }

    fn evict_handshake(&mut self) {
        if let Some(token) = self.handshakes.first_to_go() {
            self.close(token, "too many connections without a handshake");
        }
    }

    fn expire_handshakes(&mut self, now: Instant) {
        while let Some(token) = self.handshakes.overdue(now) {
            self.close(token, "no handshake in time");
        }
    }

    /// Reads and serves one connection, for a turn.
    fn read(&mut self, token: usize, scratch: &mut [u8]) {
        let mut left = READ_TURN_BYTES / scratch.len();
        let outcome = loop {
            let Some(connection) = self.connections.get_mut(&token) else { return };
            if connection.backlog() > limits::OUTBOX_PAUSE_BYTES {
                // A peer that does not read its answers is not asked for more; `flush` resumes it.
                break Ok(());
            }
            let was_session = connection.is_session();
            let progress = match connection.read(scratch) {
                Ok(progress) => progress,
                Err(over) => break Err(over),
            };
            if connection.is_session() && !was_session {
                self.handshakes.remove(token);
                self.calls.clients += 1;
                self.journal.debug(format_args!("a client has come from {}", connection.peer));
            } else if connection.has_answered_handshake() {
                self.handshakes.answered(token);
            }
            if let Some(session) = connection.session() {
                while let Some(request) = session.poll() {
                    self.calls.admit(session, token, request);
                }
            }
            // Before the ack of an EXIT leaves: whoever hears it may start a successor at once.
            if self.calls.is_ending() {
                self.retire();
            }
            left -= 1;
            match progress {
                Progress::More if left == 0 => {
                    self.unread.push_back(token);
                    break Ok(());
                }
                Progress::More => {}
                Progress::Emptied | Progress::Nothing => break Ok(()),
            }
        };
        match outcome {
            Ok(()) => self.flush(token),
            // What a refused peer is to be told, if anything, goes out before the end.
            Err(over) => self.give_up(token, over),
        }
    }

    fn give_up(&mut self, token: usize, over: Over) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        drop(connection.flush(&self.registry));
        match over {
            Over::Closed => self.close(token, "closed by the peer"),
            Over::Io(error) => self.close(token, &error.to_string()),
            Over::Protocol(error) => {
                let peer = &connection.peer;
                self.journal.warning(format_args!("connection from {peer} refused: {error}"));
                self.close(token, "refused");
            }
        }
    }

    /// Writes what waits for a connection.
    fn flush(&mut self, token: usize) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        let paused = connection.backlog() > limits::OUTBOX_PAUSE_BYTES;
        match connection.flush(&self.registry) {
            Ok(()) if paused && connection.backlog() <= limits::OUTBOX_PAUSE_BYTES => {
                self.unread.push_back(token);
                // Whoever polls may not know that there is something to read again. A waker fails
                // only when the poller is gone.
                drop(self.waker.wake());
            }
            Ok(()) => {}
            Err(over) => self.give_up(token, over),
        }
    }

    fn close(&mut self, token: usize, why: &str) {
        let Some(mut connection) = self.connections.remove(&token) else { return };
        connection.deregister(&self.registry);
        if connection.is_session() {
            self.calls.clients -= 1;
        } else {
            self.handshakes.remove(token);
        }
        self.journal.debug(format_args!("connection from {} ended: {why}", connection.peer));
    }

    /// Whether there is something for the executing thread to do.
    pub(super) fn has_work(&self) -> bool {
        self.calls.has_waiting() || self.calls.is_stopping()
    }

    /// Acks the running call and those that wait, because it will take a while.
    pub(super) fn ack_all(&mut self, running_for: Duration) {
        self.calls.ack_at_once = true;
        self.calls.takes_long(running_for);
        let calls: Vec<_> = self.calls.accepted().collect();
        for (connection, id) in calls {
            self.with_session(connection, |session| session.ack(id));
        }
    }

    pub(super) fn wants_response(&mut self, connection: usize, id: u64) -> bool {
        let session = self.connections.get_mut(&connection).and_then(Connection::session);
        session.is_some_and(|session| session.wants_response(id))
    }

    /// Whether a client opens pickles; one that is gone counts as if it did.
    pub(super) fn takes_pickles(&mut self, connection: usize) -> bool {
        let session = self.connections.get_mut(&connection).and_then(Connection::session);
        session.is_none_or(|session| session.client().allow_pickle)
    }

    pub(super) fn respond(
        &mut self,
        connection: usize,
        id: u64,
        payload: Payload,
        error: bool,
    ) -> Result<bool, ProtocolError> {
        let Some(session) = self.session(connection) else { return Ok(false) };
        let taken = session.respond(id, payload, error)?;
        self.flush(connection);
        Ok(taken)
    }

    /// Tells the caller how its call ended; `false` when nobody listens.
    pub(super) fn conclude(
        &mut self,
        connection: usize,
        id: u64,
        outcome: &Result<bool, Failure>,
    ) -> bool {
        let told = self.with_session(connection, |session| match outcome {
            Ok(already) => {
                session.end(id, *already);
                true
            }
            Err(failure) => session.fail(id, failure),
        });
        told.unwrap_or(false)
    }

    /// The session to answer through. A peer that does not read its answers loses it.
    fn session(&mut self, connection: usize) -> Option<&mut ServerSession> {
        if self.connections.get(&connection)?.backlog() > limits::OUTBOX_BYTES_MAX {
            self.close(connection, "it does not read its answers");
        }
        self.connections.get_mut(&connection)?.session()
    }

    fn with_session<T>(
        &mut self,
        connection: usize,
        act: impl FnOnce(&mut ServerSession) -> T,
    ) -> Option<T> {
        let result = act(self.session(connection)?);
        self.flush(connection);
        Some(result)
    }

    /// Takes no more calls and answers those that wait.
    pub(super) fn stop(&mut self) {
        for call in self.calls.stop() {
            self.conclude(call.connection, call.id, &Err(stopping()));
        }
        self.retire();
    }

    /// Closes the listeners and removes the registry entry, so that a successor can take over.
    pub(super) fn retire(&mut self) {
        let Some(retire) = self.retire.take() else { return };
        for listener in &mut self.listeners {
            drop(self.registry.deregister(listener.source()));
        }
        self.listeners.clear();
        retire();
    }

    /// Closes this process's copies of all sockets, and forgets the registry entry. The poller may
    /// be shared with a parent and is not told.
    pub(super) fn close_sockets(&mut self) {
        self.retire = None;
        self.listeners.clear();
        self.connections.clear();
    }

    /// Whether something still waits to be written.
    pub(super) fn has_backlog(&self) -> bool {
        self.connections.values().any(|connection| connection.backlog() > 0)
    }
}

impl Stream {
    fn is_unix(&self) -> bool {
        !matches!(self, Self::Tcp(_))
    }
}

impl Listener {
    /// Accepts one connection and names its peer; none for a peer that is not let in.
    fn accept(&self) -> io::Result<Option<(Stream, String)>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                super::listen::prepare(&stream)?;
                Ok(Some((Stream::Tcp(stream), peer.to_string())))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                let welcome = platform::is_same_user(&stream);
                Ok(welcome.then(|| (Stream::Unix(stream), "this machine".to_owned())))
            }
        }
    }
}

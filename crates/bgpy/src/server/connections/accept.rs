//! The reactor's turn for new connections: accept, read handshakes, and evict when there are too
//! many.

use std::io;
use std::time::{Duration, Instant};

use bgpy_proto::ServerHello;
use bgpy_proto::handshake::ServerHandshake;
use mio::Token as PollToken;

use super::connection::Connection;
use super::log_limiter::Kind;
use crate::clock;
use crate::platform::{self, Private, WithLimit};
use crate::server::core::Core;
use crate::transport::Stream;

/// Connections on the Unix socket accepted before existing connections get their turn.
pub(crate) const ACCEPT_TURN: usize = 64;

/// Pause in accepting when the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Core {
    /// Does one turn of accepting connections and reading handshakes.
    ///
    /// # Errors
    /// The system's error when a listener or the poller is gone.
    pub(crate) fn receive(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        // Reads the clock only when needed: a turn that serves a call does not.
        let is_quiet = self.pending.soonest().is_none() && !self.pending.are_ready();
        if is_quiet {
            return Ok(());
        }
        let now = clock::now();
        if self.pending.accept_again.is_some_and(|again| again <= now) {
            self.pending.accept_again = None;
            for (index, listener) in self.listeners.iter().enumerate() {
                self.pending.listener_ready(index, listener.is_unix());
            }
        }
        while let Some(index) = self.pending.own_ready_listeners.pop() {
            if !self.accept(index, ACCEPT_TURN)? {
                self.pending.own_ready_listeners.push(index);
                break;
            }
        }
        // Unauthenticated connections yield only to calls that can run now, not to calls behind a
        // running task.
        let has_work = self.has_work() && !self.calls.under_way.is_executing();
        if !self.pending.throttle.holds_back(has_work, now) {
            self.serve_unauthenticated(scratch)?;
            let (listeners, unread) = (&self.listeners, self.pending.unread());
            let waiting =
                || unread + listeners.iter().map(|listener| listener.waiting()).sum::<usize>();
            self.pending.throttle.begin_if_due(self.reporter.calls, clock::now(), waiting);
        }
        while let Some(token) = self.pending.overdue(now) {
            self.close(token, "no handshake in time");
        }
        Ok(())
    }

    /// Accepts at most one connection and reads one before the others get their turn.
    fn serve_unauthenticated(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        if self.pending.accepts_now()
            && let Some(index) = self.pending.ready_listeners.pop()
            && !self.accept(index, 1)?
        {
            self.pending.ready_listeners.push(index);
        }
        if let Some(token) = self.pending.next() {
            self.read(token, scratch);
        }
        Ok(())
    }

    /// Accepts up to `most` waiting connections; `false` if more may wait.
    pub(crate) fn accept(&mut self, index: usize, most: usize) -> io::Result<bool> {
        let (mut overloaded, mut left) = (None, most);
        while left > 0 {
            let Some(listener) = self.listeners.get(index) else { return Ok(true) };
            let is_own = listener.is_unix();
            if let Some(until) = self.pending.full_until(is_own)
                && until > clock::now()
            {
                let again = self.pending.accept_again.map_or(until, |again| again.min(until));
                self.pending.accept_again = Some(again);
                return Ok(true);
            }
            match listener.accept() {
                Ok(Some((stream, peer))) => {
                    left -= 1;
                    self.greet(stream, peer, overloaded.take())?;
                }
                Ok(None) => left -= 1,
                Err(error) if platform::is_descriptor_lost(&error) => return Err(error),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(true),
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => left -= 1,
                    _ if platform::is_exhausted(&error) && !platform::is_called(&**listener) => {
                        return Ok(true);
                    }
                    // The same connection is tried again with what these have released.
                    _ if platform::is_exhausted(&error) && self.make_room(is_own) => {}
                    _ if platform::is_exhausted(&error) && self.reserve.give() => {}
                    _ => {
                        let lack = self.log_exhaustion(&error);
                        if platform::is_exhausted(&error) && self.open_overflow() {
                            overloaded = Some(lack);
                            continue;
                        }
                        self.evict_slow();
                        self.pending.accept_again = Some(clock::now() + ACCEPT_PAUSE);
                        return Ok(true);
                    }
                },
            }
        }
        Ok(false)
    }

    fn greet(
        &mut self,
        stream: Private<Stream>,
        peer: String,
        overloaded: Option<String>,
    ) -> io::Result<()> {
        let is_own = stream.is_unix();
        while self.pending.is_full(is_own) {
            self.evict(is_own);
        }
        let token = self.next_connection;
        self.next_connection += 1;
        let hello = ServerHello { overloaded: overloaded.clone(), ..self.hello.clone() };
        let handshake =
            ServerHandshake::new(self.psk.clone(), hello, is_own).open_to_all(self.is_open);
        match Connection::new(stream, PollToken(token), peer, handshake, &self.poll_registry) {
            Ok(mut connection) => {
                if overloaded.is_some() {
                    self.note_overflow(token);
                }
                connection.overloaded = overloaded;
                self.connections.insert(token, connection);
                self.pending.add(token, is_own, clock::now());
                // Its first bytes may have arrived before it was registered, and then no event
                // reports them.
                self.mark_readable(token);
            }
            Err(error) if platform::is_descriptor_lost(&error) => return Err(error),
            Err(error) => {
                let what = format_args!("cannot watch a connection: {error}");
                self.note(Kind::NotAccepted, &what);
            }
        }
        Ok(())
    }

    /// Evicts unauthenticated connections above their share of the descriptors, which a task may
    /// have reduced; at once if a connection of this user needs the room. `false` if none was
    /// evicted.
    fn make_room(&mut self, for_own: bool) -> bool {
        self.pending.share(platform::descriptors_max());
        let before = self.connections.len();
        let may_evict = |until| for_own || until <= clock::now();
        while self.pending.full_until(false).is_some_and(may_evict) {
            self.evict(false);
        }
        self.connections.len() < before
    }

    /// Evicts an unauthenticated connection that had enough time to send something, if there is
    /// one.
    fn evict_slow(&mut self) {
        let is_overflow =
            self.pending.next_to_evict(false).is_some_and(|it| self.overflow.contains(it));
        let is_slow = self.pending.evictable_from(false).is_some_and(|from| from <= clock::now());
        if is_slow && !is_overflow {
            self.evict(false);
        }
    }

    /// Evicts the next connection of this kind.
    fn evict(&mut self, is_own: bool) {
        if let Some(token) = self.pending.next_to_evict(is_own) {
            let peer = self.connections.get(&token).map_or("", |connection| &connection.peer);
            let what = format!(
                "connection from {peer} closed to make room for others: it has not finished its \
                 handshake"
            );
            self.note(Kind::Evicted, &what);
            self.cut(token, "too many connections without a handshake");
        }
    }

    /// Makes room for a connection that is only told that no descriptors are left; `false` if the
    /// connections told so before are still too recent to evict.
    pub(crate) fn open_overflow(&mut self) -> bool {
        if self.reserve.open_overflow() {
            return true;
        }
        let is_silent = |token| self.pending.is_silent(token);
        let overdue = self.overflow.overdue(is_silent, Instant::now());
        // A connection with unread bytes has not been slow: the server has.
        let is_slow = |token: &usize| self.connections.get(token).is_none_or(|it| !it.has_unread());
        let Some(token) = overdue.into_iter().find(is_slow) else { return false };
        self.cut(token, "closed to free a descriptor for error replies");
        self.reserve.open_overflow()
    }

    /// Notes a connection accepted with an overflow descriptor.
    pub(crate) fn note_overflow(&mut self, token: usize) {
        self.overflow.add(token, Instant::now());
        self.reserve.use_overflow();
    }

    /// Logs which resource is exhausted, and returns the text that rejected clients get.
    pub(crate) fn log_exhaustion(&mut self, error: &io::Error) -> String {
        let what = format_args!("cannot accept a connection: {}", WithLimit(error));
        self.note(Kind::NotAccepted, &what);
        match platform::descriptor_limit(error) {
            Some(limit) => format!(
                "its process {} has reached its limit of {limit} open files (RLIMIT_NOFILE), and takes no more \
                 clients",
                std::process::id()
            ),
            None => format!("the system lets it take no more clients ({error})"),
        }
    }
}

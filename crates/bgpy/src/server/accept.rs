//! A turn of work for those that come: accepting, hearing strangers, and having some of them make room.

use std::io;
use std::time::{Duration, Instant};

use bgpy_proto::ServerHello;
use bgpy_proto::handshake::ServerHandshake;
use mio::Token;

use super::connection::Connection;
use super::core::Core;
use super::strangers::Kind;
use crate::clock;
use crate::platform::{self, Private};
use crate::transport::Stream;

/// How long strangers are seen to before the others get their turn. Shaking hands once takes about as long.
const STRANGERS_TURN: Duration = Duration::from_micros(50);

/// Strangers that are accepted before those that have said something are heard.
const STRANGERS_ACCEPTED: usize = 2;

/// Connections of this user that are accepted before those that exist get their turn.
pub(super) const ACCEPT_TURN: usize = 64;

/// How long accepting pauses when the process has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Core {
    /// Does a turn of work for those that come.
    ///
    /// # Errors
    /// What the system says of listeners, or of a poller, that are not there any more.
    pub(super) fn receive(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        // The clock is read only where it matters; a turn for a call needs it not.
        let is_quiet = self.arrivals.soonest().is_none() && !self.arrivals.are_ready();
        if is_quiet {
            return Ok(());
        }
        let now = clock::now();
        if self.arrivals.accept_again.is_some_and(|again| again <= now) {
            self.arrivals.accept_again = None;
            for (index, listener) in self.listeners.iter().enumerate() {
                self.arrivals.knock(index, listener.is_unix());
            }
        }
        while let Some(index) = self.arrivals.own_knocks.pop() {
            if !self.accept(index, ACCEPT_TURN)? {
                self.arrivals.own_knocks.push(index);
                break;
            }
        }
        // What waits for a task to end does not wait for strangers.
        let has_work = self.has_work() && !self.calls.is_running();
        if !self.arrivals.rest.holds_back(has_work, now) {
            self.hear_strangers(now + STRANGERS_TURN, scratch)?;
            let listeners = &self.listeners;
            let waiting = || listeners.iter().map(|listener| listener.waiting()).sum();
            self.arrivals.rest.begin_if_due(self.calls.done, clock::now(), waiting);
        }
        while let Some(token) = self.arrivals.overdue(now) {
            self.close(token, "no handshake in time");
        }
        Ok(())
    }

    fn hear_strangers(&mut self, until: Instant, scratch: &mut [u8]) -> io::Result<()> {
        while !self.arrivals.knocks.is_empty() || self.arrivals.has_strangers() {
            if let Some(index) = self.arrivals.knocks.pop()
                && !self.accept(index, STRANGERS_ACCEPTED)?
            {
                self.arrivals.knocks.push(index);
            }
            while let Some(token) = self.arrivals.next() {
                self.read(token, scratch);
                if clock::now() >= until {
                    return Ok(());
                }
            }
            if clock::now() >= until {
                break;
            }
        }
        Ok(())
    }

    /// Accepts what waits, up to a number; `false` when more may wait.
    pub(super) fn accept(&mut self, index: usize, most: usize) -> io::Result<bool> {
        let mut overloaded = None;
        for _ in 0..most {
            let Some(listener) = self.listeners.get(index) else { return Ok(true) };
            let is_own = listener.is_unix();
            if let Some(until) = self.arrivals.full_until(is_own)
                && until > clock::now()
            {
                let again = self.arrivals.accept_again.map_or(until, |again| again.min(until));
                self.arrivals.accept_again = Some(again);
                return Ok(true);
            }
            match listener.accept() {
                Ok(Some((stream, peer))) => self.greet(stream, peer, overloaded.take())?,
                Ok(None) => {}
                Err(error) if platform::is_descriptor_lost(&error) => return Err(error),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(true),
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    _ if platform::is_exhausted(&error) && !platform::is_called(&**listener) => {
                        return Ok(true);
                    }
                    _ if platform::is_exhausted(&error) && self.make_room(is_own) => {}
                    _ if platform::is_exhausted(&error) && self.reserve.give() => {}
                    _ => {
                        let lack = self.tell_lack(&error);
                        if platform::is_exhausted(&error) && self.open_door() {
                            overloaded = Some(lack);
                            continue;
                        }
                        self.evict_slow();
                        self.arrivals.accept_again = Some(clock::now() + ACCEPT_PAUSE);
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
        while self.arrivals.is_full(is_own) {
            self.evict(is_own);
        }
        let token = self.next_connection;
        self.next_connection += 1;
        let hello = ServerHello { overloaded: overloaded.clone(), ..self.hello.clone() };
        let handshake =
            ServerHandshake::new(self.psk.clone(), hello, is_own).open_to_all(self.is_open);
        match Connection::new(stream, Token(token), peer, handshake, &self.registry) {
            Ok(mut connection) => {
                if overloaded.is_some() {
                    self.welcome_guest(token);
                }
                connection.overloaded = overloaded;
                self.connections.insert(token, connection);
                self.arrivals.add(token, is_own, clock::now());
                // Its first bytes may have come before it was registered.
                self.has_come(token);
            }
            Err(error) if platform::is_descriptor_lost(&error) => return Err(error),
            Err(error) => {
                let what = format_args!("cannot watch a connection: {error}");
                self.note(Kind::NotAccepted, &what);
            }
        }
        Ok(())
    }

    /// Has strangers give what is above their share of the descriptors, which a task may have made smaller, to
    /// this user at once; `false` when there is nobody who has to.
    fn make_room(&mut self, for_own: bool) -> bool {
        self.arrivals.share(platform::descriptors_max());
        let before = self.connections.len();
        let goes = |until| for_own || until <= clock::now();
        while self.arrivals.full_until(false).is_some_and(goes) {
            self.evict(false);
        }
        self.connections.len() < before
    }

    /// Has a stranger give its descriptor for others, if there is one that has had time to say something.
    fn evict_slow(&mut self) {
        let is_guest = self.arrivals.first_to_go(false).is_some_and(|it| self.guests.contains(it));
        let goes = self.arrivals.goes_from(false).is_some_and(|from| from <= clock::now());
        if goes && !is_guest {
            self.evict(false);
        }
    }

    /// Has somebody make room.
    fn evict(&mut self, is_own: bool) {
        if let Some(token) = self.arrivals.first_to_go(is_own) {
            let peer = self.connections.get(&token).map_or("", |connection| &connection.peer);
            let what = format!(
                "connection from {peer} closed: others want its place, and it has not finished its \
                 handshake"
            );
            self.note(Kind::Evicted, &what);
            self.cut(token, "too many connections without a handshake");
        }
    }
}

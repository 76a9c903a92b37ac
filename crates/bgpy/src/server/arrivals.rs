//! Whoever comes and has not finished the handshake: who has a turn, until when each of them may stay, and
//! who makes room when there are too many.
//!
//! Anybody can connect, so that all of this has a small share of each turn of the server, and those whom it
//! knows come first. Who comes by the Unix socket is this user, and is not kept waiting by those who come by
//! TCP.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use bgpy_proto::handshake::ServerHandshake;
use bgpy_proto::{Replays, ServerHello, limits};
use mio::Token;

use super::connection::Connection;
use super::core::Core;
use super::rest::Rest;
use super::strangers::Kind;
use super::stream::Stream;
use super::turns::Turns;
use crate::clock;
use crate::platform::{self, Private};

/// How long strangers are seen to before the others get their turn. Shaking hands once takes about as long.
const STRANGERS_TURN: Duration = Duration::from_micros(50);

/// Strangers that are accepted before those that have said something are heard.
const STRANGERS_ACCEPTED: usize = 2;

/// How long one may stay at least before it makes room: clients need a moment to say something. Others wait to
/// be accepted meanwhile, which costs nothing.
const LEAST_STAY: Duration = Duration::from_millis(20);

/// Connections of this user that are accepted before those that exist get their turn.
pub(super) const ACCEPT_TURN: usize = 64;

/// How long accepting pauses when the process has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Tokens of connections, with the time until which each must have shaken hands. Tokens count up,
/// so that the first is the oldest.
type Waiting = BTreeMap<usize, Instant>;

/// Those that have said nothing that counts are kept apart from those whose first message was
/// answered. Whichever are more make room: neither silence nor a recorded message, sent again and
/// again, can push out a client that is about to prove the token.
#[derive(Debug, Default)]
struct Crowd {
    silent: Waiting,
    answered: Waiting,
}

#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// They come by the Unix socket.
    own: Crowd,
    strangers: Crowd,
    /// Strangers that were answered and have said something: it may be the proof.
    proofs: Turns,
    /// Strangers that have said something for the first time.
    firsts: Turns,
    /// Listeners of this user that may have connections to accept, and those of strangers.
    own_knocks: Turns,
    knocks: Turns,
    pub(super) accept_again: Option<Instant>,
    rest: Rest,
    /// What they have said first, and need not say again.
    pub(super) replays: Replays,
}

impl Arrivals {
    /// Notes that a listener may have connections to accept.
    pub(super) fn knock(&mut self, index: usize, is_own: bool) {
        if is_own { self.own_knocks.push(index) } else { self.knocks.push(index) }
    }

    /// Notes a connection that was accepted at `now`.
    fn add(&mut self, token: usize, is_own: bool, now: Instant) {
        let crowd = if is_own { &mut self.own } else { &mut self.strangers };
        crowd.silent.insert(token, now + Duration::from_millis(limits::HANDSHAKE_MS));
    }

    /// Notes that a stranger has said something; `false` when it is none.
    pub(super) fn has_come(&mut self, token: usize) -> bool {
        if self.strangers.silent.contains_key(&token) {
            self.firsts.push(token);
        } else if self.strangers.answered.contains_key(&token) {
            self.proofs.push(token);
        } else {
            return false;
        }
        true
    }

    /// Notes that the first message of a connection was answered.
    pub(super) fn answered(&mut self, token: usize) {
        for crowd in [&mut self.own, &mut self.strangers] {
            crowd.answered.extend(crowd.silent.remove_entry(&token));
        }
    }

    /// Forgets a connection that has finished its handshake, or is gone.
    pub(super) fn remove(&mut self, token: usize) {
        for crowd in [&mut self.own, &mut self.strangers] {
            crowd.silent.remove(&token);
            crowd.answered.remove(&token);
        }
        self.proofs.forget(token);
        self.firsts.forget(token);
    }

    /// Notes that a connection has gone without a proof.
    pub(super) fn gone(&mut self, token: usize) {
        self.remove(token);
        self.rest.in_vain();
    }

    /// Whether it has said nothing that counts.
    pub(super) fn is_silent(&self, token: usize) -> bool {
        self.own.silent.contains_key(&token) || self.strangers.silent.contains_key(&token)
    }

    /// Whether somebody waits for a turn.
    fn are_ready(&self) -> bool {
        !self.own_knocks.is_empty() || !self.knocks.is_empty() || self.has_strangers()
    }

    /// How long somebody who waits for a turn waits for it, if anybody does.
    pub(super) fn wait(&self) -> Option<Duration> {
        let left = || match self.own_knocks.is_empty() {
            true => self.rest.left(clock::now()),
            false => Duration::ZERO,
        };
        self.are_ready().then(left)
    }

    fn has_strangers(&self) -> bool {
        !self.proofs.is_empty() || !self.firsts.is_empty()
    }

    /// The stranger that is heard next. Of those that have proven nothing it is the newest: with more of
    /// them than can be heard, those who wait longest have been given up by their clients, or soon are, and
    /// make room unheard.
    fn next(&mut self) -> Option<usize> {
        self.proofs.pop().or_else(|| self.firsts.pop_newest())
    }

    /// Whether one more is only taken in exchange for another.
    fn is_full(&self, is_own: bool) -> bool {
        let crowd = if is_own { &self.own } else { &self.strangers };
        crowd.silent.len() + crowd.answered.len() >= limits::HANDSHAKES_MAX
    }

    /// Until when no other is taken, because those that are there have come just now.
    fn full_until(&self, is_own: bool) -> Option<Instant> {
        self.goes_from(is_own).filter(|_| self.is_full(is_own))
    }

    /// From when on the next one may make room.
    fn goes_from(&self, is_own: bool) -> Option<Instant> {
        let crowd = if is_own { &self.own } else { &self.strangers };
        let token = self.first_to_go(is_own)?;
        let end = crowd.silent.get(&token).or_else(|| crowd.answered.get(&token))?;
        Some(*end - Duration::from_millis(limits::HANDSHAKE_MS) + LEAST_STAY)
    }

    /// The one that makes room for one of the same kind.
    fn first_to_go(&self, is_own: bool) -> Option<usize> {
        let Crowd { silent, answered } = if is_own { &self.own } else { &self.strangers };
        let larger = if silent.len() >= answered.len() { silent } else { answered };
        larger.first_key_value().map(|(token, _)| *token)
    }

    /// One whose time is over.
    fn overdue(&self, now: Instant) -> Option<usize> {
        self.oldest().find(|(_, until)| **until <= now).map(|(token, _)| *token)
    }

    /// How many have not finished the handshake.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        [&self.own, &self.strangers]
            .map(|crowd| crowd.silent.len() + crowd.answered.len())
            .iter()
            .sum()
    }

    /// When the next one's time is over, or it is time to accept again.
    pub(super) fn soonest(&self) -> Option<Instant> {
        self.oldest().map(|(_, until)| *until).chain(self.accept_again).min()
    }

    fn oldest(&self) -> impl Iterator<Item = (&usize, &Instant)> {
        let crowds = [&self.own, &self.strangers].into_iter();
        let all = crowds.flat_map(|crowd| [&crowd.silent, &crowd.answered]);
        all.filter_map(Waiting::first_key_value)
    }
}

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
            if let Some(until) = self.arrivals.full_until(listener.is_unix())
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
        if self.arrivals.is_full(is_own) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(silent: usize, answered: usize, now: Instant) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for token in 0..silent + answered {
            arrivals.add(token, false, now);
        }
        for token in silent..silent + answered {
            arrivals.answered(token);
        }
        arrivals
    }

    #[test]
    fn the_oldest_of_the_larger_crowd_makes_room() {
        let now = Instant::now();
        assert_eq!(crowd(0, 0, now).first_to_go(false), None);
        assert_eq!(crowd(2, 1, now).first_to_go(false), Some(0));
        assert_eq!(crowd(1, 2, now).first_to_go(false), Some(1));
        let mut both = crowd(limits::HANDSHAKES_MAX / 2, limits::HANDSHAKES_MAX / 2, now);
        assert!(both.is_full(false));
        both.remove(0);
        assert!(!both.is_full(false));
        assert_eq!(both.first_to_go(false), Some(limits::HANDSHAKES_MAX / 2));
    }

    #[test]
    fn strangers_take_no_place_of_this_user() {
        let now = Instant::now();
        let mut both = crowd(limits::HANDSHAKES_MAX, 0, now);
        assert!(both.is_full(false) && !both.is_full(true));
        assert_eq!(both.first_to_go(true), None);
        both.add(1000, true, now);
        assert_eq!((both.first_to_go(true), both.first_to_go(false)), (Some(1000), Some(0)));
        both.answered(1000);
        assert!(!both.has_come(1000), "it is no stranger");
    }

    #[test]
    fn a_proof_is_heard_first_and_then_the_newest() {
        let mut strangers = crowd(3, 2, Instant::now());
        for token in [0, 3, 1, 4, 2] {
            assert!(strangers.has_come(token));
        }
        strangers.remove(1);
        let order: Vec<_> = std::iter::from_fn(|| strangers.next()).collect();
        assert_eq!(order, [3, 4, 2, 0]);
        assert!(!strangers.are_ready());
    }

    #[test]
    fn nobody_makes_room_before_it_could_say_something() {
        let now = Instant::now();
        let mut full = crowd(limits::HANDSHAKES_MAX, 0, now);
        assert_eq!((full.full_until(false), full.full_until(true)), (Some(now + LEAST_STAY), None));
        full.remove(3);
        assert_eq!(full.full_until(false), None);
    }

    #[test]
    fn time_counts_from_the_accept() {
        let now = Instant::now();
        let mut arrivals = crowd(1, 0, now);
        let later = now + Duration::from_secs(1);
        arrivals.add(1, false, later);
        arrivals.answered(0);
        let until = now + Duration::from_millis(limits::HANDSHAKE_MS);
        assert_eq!(arrivals.soonest(), Some(until));
        assert_eq!(arrivals.overdue(until - Duration::from_nanos(1)), None);
        assert_eq!(arrivals.overdue(until), Some(0));
        arrivals.remove(0);
        assert_eq!(arrivals.overdue(until), None);
        arrivals.remove(1);
        assert_eq!(arrivals.soonest(), None);
    }
}

//! Connections that have not finished the handshake: whose turn is next, when each times out, and
//! which are evicted when there are too many.
//!
//! Anybody can connect, so these get a small share of each turn, after authenticated clients.
//! Connections on the Unix socket belong to this user and never wait for those on TCP.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bgpy_proto::{Replays, limits};

use super::ready_queue::ReadyQueue;
use super::throttle::Throttle;
use crate::clock;

/// Minimum age before eviction: clients need a moment to send something. Meanwhile others wait in
/// the accept queue, which costs nothing.
const LEAST_STAY: Duration = Duration::from_millis(20);

/// Connections with unread bytes that do not delay the next one much.
const FEW: usize = 4;

/// Tokens of connections, each with the deadline of its handshake. Tokens count up, so the first is
/// the oldest.
type Waiting = BTreeMap<usize, Instant>;

/// Connections that have sent nothing valid, apart from those whose first message was answered. The
/// larger group is evicted from: neither silent connections nor replays of a recorded message can
/// displace a client that is about to prove the token.
#[derive(Debug, Default)]
struct Crowd {
    silent: Waiting,
    answered: Waiting,
}

/// The fraction of all descriptors that each kind may use: the rest is for clients and for tasks.
const DESCRIPTORS_SHARE: u64 = 4;

fn room_in(descriptors: Option<u64>) -> usize {
    let share = descriptors.map(|count| usize::try_from(count / DESCRIPTORS_SHARE));
    let share = share.and_then(Result::ok).unwrap_or(limits::HANDSHAKES_MAX);
    share.clamp(1, limits::HANDSHAKES_MAX)
}

impl Crowd {
    fn is_empty(&self) -> bool {
        self.silent.is_empty() && self.answered.is_empty()
    }
}

#[derive(Debug)]
pub(crate) struct Pending {
    /// The limit for each kind.
    room: usize,
    /// Connections on the Unix socket.
    own: Crowd,
    tcp: Crowd,
    /// Answered connections with new bytes, perhaps the proof.
    proofs: ReadyQueue,
    /// Silent connections with new bytes.
    firsts: ReadyQueue,
    /// Listeners that may have connections to accept: Unix sockets here, TCP below.
    pub(crate) own_ready_listeners: ReadyQueue,
    pub(crate) ready_listeners: ReadyQueue,
    pub(crate) accept_again: Option<Instant>,
    pub(crate) throttle: Throttle,
    is_even_turn: bool,
    /// First messages seen so far, to detect replays.
    pub(crate) replays: Replays,
}

impl Pending {
    /// An empty set, for a process with this limit of descriptors, if it is known.
    pub(crate) fn new(descriptors: Option<u64>) -> Self {
        Self {
            room: room_in(descriptors),
            own: Crowd::default(),
            tcp: Crowd::default(),
            proofs: ReadyQueue::default(),
            firsts: ReadyQueue::default(),
            own_ready_listeners: ReadyQueue::default(),
            ready_listeners: ReadyQueue::default(),
            accept_again: None,
            throttle: Throttle::default(),
            is_even_turn: false,
            replays: Replays::default(),
        }
    }

    /// Updates the limit of descriptors.
    pub(crate) fn share(&mut self, descriptors: Option<u64>) {
        self.room = room_in(descriptors);
    }

    /// Notes that a listener may have connections to accept.
    pub(crate) fn listener_ready(&mut self, index: usize, is_own: bool) {
        if is_own { self.own_ready_listeners.push(index) } else { self.ready_listeners.push(index) }
    }

    /// Adds a connection accepted at `now`.
    pub(crate) fn add(&mut self, token: usize, is_own: bool, now: Instant) {
        let crowd = if is_own { &mut self.own } else { &mut self.tcp };
        crowd.silent.insert(token, now + Duration::from_millis(limits::HANDSHAKE_MS));
    }

    /// Ends a pause in accepting, because a connection was closed.
    pub(crate) fn try_again(&mut self) {
        if let Some(again) = &mut self.accept_again {
            *again = Instant::now();
        }
    }

    /// Notes that an unauthenticated TCP connection may have bytes; `false` if it is not one.
    pub(crate) fn mark_readable(&mut self, token: usize) -> bool {
        if self.tcp.silent.contains_key(&token) {
            self.firsts.push(token);
        } else if self.tcp.answered.contains_key(&token) {
            self.proofs.push(token);
        } else {
            return false;
        }
        true
    }

    /// Notes that the first message of a connection was answered.
    pub(crate) fn answered(&mut self, token: usize) {
        for crowd in [&mut self.own, &mut self.tcp] {
            crowd.answered.extend(crowd.silent.remove_entry(&token));
        }
    }

    /// Removes a connection that has finished its handshake, or is closed.
    pub(crate) fn remove(&mut self, token: usize) {
        for crowd in [&mut self.own, &mut self.tcp] {
            crowd.silent.remove(&token);
            crowd.answered.remove(&token);
        }
        self.proofs.forget(token);
        self.firsts.forget(token);
    }

    /// Notes that a connection ended without a proof.
    pub(crate) fn gone(&mut self, token: usize) {
        self.remove(token);
        self.throttle.in_vain();
    }

    /// Whether the connection has sent nothing valid.
    pub(crate) fn is_silent(&self, token: usize) -> bool {
        self.own.silent.contains_key(&token) || self.tcp.silent.contains_key(&token)
    }

    /// Whether a listener or a connection waits for its turn.
    pub(crate) fn are_ready(&self) -> bool {
        !self.own_ready_listeners.is_empty()
            || !self.ready_listeners.is_empty()
            || self.has_unauthenticated()
    }

    /// How long to sleep until that turn, if something waits for it.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let sleep = || match self.own_ready_listeners.is_empty() {
            true => self.throttle.sleep(clock::now()),
            false => Duration::ZERO,
        };
        self.are_ready().then(sleep)
    }

    pub(crate) fn has_unauthenticated(&self) -> bool {
        !self.proofs.is_empty() || !self.firsts.is_empty()
    }

    /// The connection to read next: in order of arrival, as any other order starves some.
    pub(crate) fn next(&mut self) -> Option<usize> {
        self.proofs.pop().or_else(|| self.firsts.pop())
    }

    /// How many connections have bytes to read.
    pub(crate) fn unread(&self) -> usize {
        self.proofs.len() + self.firsts.len()
    }

    /// Whether to accept a connection in this turn, which reads one: always if few have bytes to
    /// read, else in each second turn, so that those become fewer and no newcomer waits for all of
    /// them.
    pub(crate) fn accepts_now(&mut self) -> bool {
        self.is_even_turn = !self.is_even_turn;
        self.is_even_turn || self.unread() <= FEW
    }

    /// Whether one more is accepted only in exchange for another.
    pub(crate) fn is_full(&self, is_own: bool) -> bool {
        let crowd = if is_own { &self.own } else { &self.tcp };
        crowd.silent.len() + crowd.answered.len() >= self.room
    }

    /// Until when no other is accepted, because all present ones are too recent to evict.
    pub(crate) fn full_until(&self, is_own: bool) -> Option<Instant> {
        self.evictable_from(is_own).filter(|_| self.is_full(is_own))
    }

    /// When the next one may be evicted.
    pub(crate) fn evictable_from(&self, is_own: bool) -> Option<Instant> {
        let crowd = if is_own { &self.own } else { &self.tcp };
        let token = self.next_to_evict(is_own)?;
        let end = crowd.silent.get(&token).or_else(|| crowd.answered.get(&token))?;
        Some(*end - Duration::from_millis(limits::HANDSHAKE_MS) + LEAST_STAY)
    }

    /// The connection to evict for another of the same kind.
    pub(crate) fn next_to_evict(&self, is_own: bool) -> Option<usize> {
        let Crowd { silent, answered } = if is_own { &self.own } else { &self.tcp };
        let larger = if silent.len() >= answered.len() { silent } else { answered };
        larger.first_key_value().map(|(token, _)| *token)
    }

    /// A connection whose handshake has timed out.
    pub(crate) fn overdue(&self, now: Instant) -> Option<usize> {
        self.oldest().find(|(_, until)| **until <= now).map(|(token, _)| *token)
    }

    /// The number of unfinished handshakes.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        [&self.own, &self.tcp].map(|crowd| crowd.silent.len() + crowd.answered.len()).iter().sum()
    }

    /// The next handshake deadline, or the time to accept again.
    pub(crate) fn soonest(&self) -> Option<Instant> {
        // As between any two calls.
        if self.own.is_empty() && self.tcp.is_empty() {
            return self.accept_again;
        }
        self.oldest().map(|(_, until)| *until).chain(self.accept_again).min()
    }

    fn oldest(&self) -> impl Iterator<Item = (&usize, &Instant)> {
        let crowds = [&self.own, &self.tcp].into_iter();
        let all = crowds.flat_map(|crowd| [&crowd.silent, &crowd.answered]);
        all.filter_map(Waiting::first_key_value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(silent: usize, answered: usize, now: Instant) -> Pending {
        let mut pending = Pending::new(None);
        for token in 0..silent + answered {
            pending.add(token, false, now);
        }
        for token in silent..silent + answered {
            pending.answered(token);
        }
        pending
    }

    #[test]
    fn the_oldest_of_the_larger_crowd_makes_room() {
        let now = Instant::now();
        assert_eq!(crowd(0, 0, now).next_to_evict(false), None);
        assert_eq!(crowd(2, 1, now).next_to_evict(false), Some(0));
        assert_eq!(crowd(1, 2, now).next_to_evict(false), Some(1));
        let mut both = crowd(limits::HANDSHAKES_MAX / 2, limits::HANDSHAKES_MAX / 2, now);
        assert!(both.is_full(false));
        both.remove(0);
        assert!(!both.is_full(false));
        assert_eq!(both.next_to_evict(false), Some(limits::HANDSHAKES_MAX / 2));
    }

    #[test]
    fn strangers_take_no_place_of_this_user() {
        let now = Instant::now();
        let mut both = crowd(limits::HANDSHAKES_MAX, 0, now);
        assert!(both.is_full(false) && !both.is_full(true));
        assert_eq!(both.next_to_evict(true), None);
        both.add(1000, true, now);
        assert_eq!((both.next_to_evict(true), both.next_to_evict(false)), (Some(1000), Some(0)));
        both.answered(1000);
        assert!(!both.mark_readable(1000), "it is on the Unix socket");
    }

    #[test]
    fn they_have_a_share_of_the_descriptors() {
        assert_eq!(room_in(Some(80)), 20);
        assert_eq!(room_in(Some(1)), 1);
        assert_eq!(
            (room_in(Some(u64::MAX)), room_in(None)),
            (limits::HANDSHAKES_MAX, limits::HANDSHAKES_MAX)
        );
    }

    #[test]
    fn a_proof_is_heard_first_and_then_the_oldest() {
        let mut pending = crowd(3, 2, Instant::now());
        for token in [0, 3, 1, 4, 2] {
            assert!(pending.mark_readable(token));
        }
        pending.remove(1);
        let order: Vec<_> = std::iter::from_fn(|| pending.next()).collect();
        assert_eq!(order, [3, 4, 0, 2]);
        assert!(!pending.are_ready());
    }

    #[test]
    fn a_newcomer_is_accepted_though_others_always_have_bytes() {
        let mut pending = crowd(2 * FEW, 0, Instant::now());
        let mut accepted = 0;
        for _ in 0..20 {
            assert!((0..2 * FEW).all(|token| pending.mark_readable(token)));
            accepted += usize::from(pending.accepts_now());
            pending.next();
        }
        assert_eq!(accepted, 10);
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
        let mut pending = crowd(1, 0, now);
        let later = now + Duration::from_secs(1);
        pending.add(1, false, later);
        pending.answered(0);
        let until = now + Duration::from_millis(limits::HANDSHAKE_MS);
        assert_eq!(pending.soonest(), Some(until));
        assert_eq!(pending.overdue(until - Duration::from_nanos(1)), None);
        assert_eq!(pending.overdue(until), Some(0));
        pending.remove(0);
        assert_eq!(pending.overdue(until), None);
        pending.remove(1);
        assert_eq!(pending.soonest(), None);
    }
}

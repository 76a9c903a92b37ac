//! Connections that wait for their turn.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

/// The server counts tokens up, so no peer can provoke collisions.
pub(crate) type ByToken = BuildHasherDefault<TokenHasher>;

#[derive(Default)]
pub(crate) struct TokenHasher(u64);

impl Hasher for TokenHasher {
    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("tokens are hashed as usize")
    }

    fn write_usize(&mut self, token: usize) {
        // Fibonacci hashing: spreads consecutive numbers over the high bits, which the table uses.
        self.0 = (token as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Forgotten tokens that may stay in `order`, in addition to as many as wait.
const FORGOTTEN_MAX: usize = 64;

/// Tokens in order of arrival, each at most once: a connection that is reported repeatedly gets one
/// turn a round.
#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    order: VecDeque<usize>,
    waiting: HashSet<usize, ByToken>,
}

impl ReadyQueue {
    pub(crate) fn push(&mut self, token: usize) {
        if self.waiting.insert(token) {
            self.order.push_back(token);
        }
    }

    /// The token that has waited longest.
    pub(crate) fn pop(&mut self) -> Option<usize> {
        loop {
            let token = self.order.pop_front()?;
            if self.waiting.remove(&token) {
                return Some(token);
            }
        }
    }

    /// Removes the token of a closed connection; it is never used again.
    pub(crate) fn forget(&mut self, token: usize) {
        if self.waiting.remove(&token) && self.order.len() > 2 * self.waiting.len() + FORGOTTEN_MAX
        {
            self.order.retain(|token| self.waiting.contains(token));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_waits_once_and_may_come_again_after_its_turn() {
        let mut turns = ReadyQueue::default();
        [7, 3, 7, 7, 3].into_iter().for_each(|token| turns.push(token));
        assert_eq!(turns.len(), 2);
        assert_eq!(turns.pop(), Some(7));
        turns.push(7);
        assert_eq!([turns.pop(), turns.pop(), turns.pop()], [Some(3), Some(7), None]);
        assert!(turns.is_empty());
    }

    #[test]
    fn those_that_are_gone_have_no_turn_and_keep_no_memory() {
        let mut turns = ReadyQueue::default();
        (0..4).for_each(|token| turns.push(token));
        turns.forget(3);
        turns.forget(0);
        assert_eq!(turns.len(), 2);
        assert_eq!([turns.pop(), turns.pop(), turns.pop()], [Some(1), Some(2), None]);
        turns.push(0);
        for token in 1..100_000 {
            turns.push(token);
            turns.forget(token);
        }
        assert!(turns.order.len() <= 2 * turns.len() + FORGOTTEN_MAX + 1);
        assert_eq!([turns.pop(), turns.pop()], [Some(0), None]);
    }
}

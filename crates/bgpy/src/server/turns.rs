//! Who is to have a turn.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

/// Tokens are counted up by the server, so that no peer can choose them to collide.
pub(super) type ByToken = BuildHasherDefault<TokenHasher>;

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

/// Tokens in the order in which they came, each of them once: whoever is announced again and again
/// gets no more than one turn a round.
#[derive(Debug, Default)]
pub(super) struct Turns {
    order: VecDeque<usize>,
    waiting: HashSet<usize, ByToken>,
}

impl Turns {
    pub(super) fn push(&mut self, token: usize) {
        if self.waiting.insert(token) {
            self.order.push_back(token);
        }
    }

    pub(super) fn pop(&mut self) -> Option<usize> {
        let token = self.order.pop_front()?;
        self.waiting.remove(&token);
        Some(token)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_waits_once_and_may_come_again_after_its_turn() {
        let mut turns = Turns::default();
        [7, 3, 7, 7, 3].into_iter().for_each(|token| turns.push(token));
        assert_eq!(turns.len(), 2);
        assert_eq!(turns.pop(), Some(7));
        turns.push(7);
        assert_eq!([turns.pop(), turns.pop(), turns.pop()], [Some(3), Some(7), None]);
        assert!(turns.is_empty());
    }
}

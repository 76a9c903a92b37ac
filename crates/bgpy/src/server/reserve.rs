//! Descriptors that a server keeps for when its process has none left, so that it can be found, reached and
//! ended also then.

use crate::platform::{self, Placeholder, Private};

/// How many: for a client that stays, one that looks, one that ends the server, and a file.
const KEPT: usize = 4;

/// What is kept of them just now.
#[derive(Debug)]
pub(super) struct Reserve(Vec<Private<Placeholder>>);

impl Reserve {
    pub(super) fn new() -> Self {
        let mut reserve = Self(Vec::with_capacity(KEPT));
        reserve.fill();
        reserve
    }

    /// Takes what is missing, as far as the system gives it.
    pub(super) fn fill(&mut self) {
        while self.0.len() < KEPT {
            let Ok(taken) = Private::open(platform::placeholder) else { return };
            self.0.push(taken);
        }
    }

    /// Gives one back for something else, if there is one.
    pub(super) fn give(&mut self) -> bool {
        self.0.pop().is_some()
    }

    /// Gives all of them back.
    pub(super) fn give_all(&mut self) {
        self.0.clear();
    }
}

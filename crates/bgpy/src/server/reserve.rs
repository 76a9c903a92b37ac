//! Descriptors that a server keeps for when its process has none left, so that it can be found, reached and
//! ended also then, and tells all who come how it is.

use crate::platform::{self, Placeholder, Private};

/// How many: for a client that stays, one that looks, one that ends the server, and a file.
const KEPT: usize = 4;

/// And how many for those who come when these are used up, too, and do not stay.
const OVERFLOW: usize = 4;

/// What is kept of them just now.
#[derive(Debug)]
pub(super) struct Reserve {
    kept: Vec<Private<Placeholder>>,
    overflow: Vec<Private<Placeholder>>,
    /// Connections that have a door each.
    used: usize,
}

impl Reserve {
    pub(super) fn new() -> Self {
        let (kept, overflow) = (Vec::with_capacity(KEPT), Vec::with_capacity(OVERFLOW));
        let mut reserve = Self { kept, overflow, used: 0 };
        reserve.fill();
        reserve
    }

    /// Takes what is missing, as far as the system gives it.
    pub(super) fn fill(&mut self) {
        let Self { kept, overflow, used } = self;
        for (places, wanted) in [(overflow, OVERFLOW.saturating_sub(*used)), (kept, KEPT)] {
            while places.len() < wanted {
                let Ok(taken) = Private::open(platform::placeholder) else { return };
                places.push(taken);
            }
        }
    }

    /// Gives one back for something else, if there is one.
    pub(super) fn give(&mut self) -> bool {
        self.kept.pop().is_some()
    }

    /// Gives all of them back but the overflow.
    pub(super) fn give_all(&mut self) {
        self.kept.clear();
    }

    /// Gives a door for somebody who comes, if there is one.
    pub(super) fn open_overflow(&mut self) -> bool {
        self.overflow.pop().is_some()
    }

    /// Notes that somebody has come by a door.
    pub(super) fn use_overflow(&mut self) {
        self.used += 1;
    }

    /// Takes the descriptor back of somebody who has come by a door and is gone, before anybody else does.
    pub(super) fn close_overflow(&mut self) {
        self.used -= 1;
        self.fill();
    }
}

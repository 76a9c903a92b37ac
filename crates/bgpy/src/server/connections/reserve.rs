//! Reserved descriptors for when the process is out of them, so that the server can still be found,
//! reached and ended, and tells new clients why it refuses their calls.

use crate::platform::{self, Placeholder, Private};

/// For a client that stays, one that asks for the status, one that ends the server, and a file.
const KEPT: usize = 4;

/// For connections beyond those, which do not stay.
const OVERFLOW: usize = 4;

/// The descriptors held at the moment.
#[derive(Debug)]
pub(crate) struct Reserve {
    kept: Vec<Private<Placeholder>>,
    overflow: Vec<Private<Placeholder>>,
    /// Connections that use an overflow descriptor each.
    used: usize,
}

impl Reserve {
    pub(crate) fn new() -> Self {
        let (kept, overflow) = (Vec::with_capacity(KEPT), Vec::with_capacity(OVERFLOW));
        let mut reserve = Self { kept, overflow, used: 0 };
        reserve.fill();
        reserve
    }

    /// Refills the reserve as far as the system allows.
    pub(crate) fn fill(&mut self) {
        // As after almost every turn.
        if self.kept.len() < KEPT || self.overflow.len() + self.used < OVERFLOW {
            self.fill_missing();
        }
    }

    fn fill_missing(&mut self) {
        let Self { kept, overflow, used } = self;
        for (places, wanted) in [(overflow, OVERFLOW.saturating_sub(*used)), (kept, KEPT)] {
            while places.len() < wanted {
                let Ok(taken) = Private::open(platform::placeholder) else { return };
                places.push(taken);
            }
        }
    }

    /// Releases one for another use, if one is held.
    pub(crate) fn give(&mut self) -> bool {
        self.kept.pop().is_some()
    }

    /// Releases all but the overflow descriptors.
    pub(crate) fn give_all(&mut self) {
        self.kept.clear();
    }

    /// Releases an overflow descriptor for a new connection, if one is held.
    pub(crate) fn open_overflow(&mut self) -> bool {
        self.overflow.pop().is_some()
    }

    /// Notes that a connection has taken an overflow descriptor.
    pub(crate) fn use_overflow(&mut self) {
        self.used += 1;
    }

    /// Takes back the descriptor of a closed overflow connection, before anything else can use it.
    pub(crate) fn close_overflow(&mut self) {
        self.used -= 1;
        self.fill();
    }
}

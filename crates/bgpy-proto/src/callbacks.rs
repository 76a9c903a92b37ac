//! The callbacks of a call, numbered by the server.

use crate::error::ProtocolError;

/// The callbacks of a call that have not returned.
#[derive(Debug, Default)]
pub(crate) struct Callbacks {
    next: u32,
    /// Few at a time, so that a search needs no hashing.
    open: Vec<u32>,
}

impl Callbacks {
    /// The number of the next one.
    pub(crate) fn next(&self) -> u32 {
        self.next
    }

    /// Opens the next one.
    pub(crate) fn open(&mut self) {
        self.open.push(self.next);
        self.next = self.next.wrapping_add(1);
    }

    /// Opens one that has arrived.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] if another one comes next.
    pub(crate) fn arrived(&mut self, number: u32) -> Result<(), ProtocolError> {
        if number != self.next {
            return Err(ProtocolError::Malformed("a callback out of its order"));
        }
        self.open();
        Ok(())
    }

    pub(crate) fn is_open(&self, number: u32) -> bool {
        self.open.contains(&number)
    }

    /// Closes one; `false` if it is not open.
    pub(crate) fn close(&mut self, number: u32) -> bool {
        let index = self.open.iter().position(|open| *open == number);
        index.map(|index| self.open.swap_remove(index)).is_some()
    }

    /// Closes all; returns their numbers.
    pub(crate) fn close_all(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_returns_once() {
        let mut callbacks = Callbacks::default();
        for number in 0..3 {
            assert!(!callbacks.is_open(number) && !callbacks.close(number));
            assert_eq!(callbacks.next(), number);
            callbacks.open();
        }
        assert!(callbacks.close(1) && !callbacks.close(1) && callbacks.is_open(2));
        assert_eq!(callbacks.close_all(), [0, 2]);
        assert!(!callbacks.close(0));
    }

    #[test]
    fn they_arrive_in_their_order_and_begin_anew_behind_the_last_number() {
        let mut callbacks = Callbacks { next: u32::MAX, open: Vec::new() };
        assert!(callbacks.arrived(0).is_err() && callbacks.arrived(u32::MAX).is_ok());
        assert!(callbacks.arrived(u32::MAX).is_err() && callbacks.arrived(0).is_ok());
    }
}

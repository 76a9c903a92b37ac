//! How far the sender of a stream may be ahead of its reader. Both sides count what responses take on a
//! connection without segments.

use crate::error::ProtocolError;
use crate::frame::HEADER_BYTES;

/// Bytes that an entry of the buffer table counts: empty buffers take memory, too.
const ENTRY_BYTES: u64 = 8;

/// What a response of a stream counts.
pub(crate) fn weight(message_bytes: u64, buffers: usize) -> u64 {
    HEADER_BYTES as u64 + ENTRY_BYTES * buffers as u64 + message_bytes
}

/// The server's side of a stream.
#[derive(Debug)]
pub(crate) struct Window {
    size: u64,
    sent: u64,
    taken: u64,
}

impl Window {
    pub(crate) fn new(size: u64) -> Self {
        Self { size, sent: 0, taken: 0 }
    }

    /// Whether another response may be sent, of any length: so the sender is ahead by less than a
    /// window and one response.
    pub(crate) fn is_open(&self) -> bool {
        self.ahead() == 0 || self.ahead() < self.size
    }

    /// Bytes that the reader has not taken.
    pub(crate) fn ahead(&self) -> u64 {
        self.sent - self.taken
    }

    /// Notes that a response was sent.
    pub(crate) fn sent(&mut self, weight: u64) {
        self.sent += weight;
    }

    /// Notes how much the reader has taken in all; returns how much that is more than before.
    pub(crate) fn taken(&mut self, bytes: u64) -> Result<u64, ProtocolError> {
        let wrong = ProtocolError::Malformed("a credit for what was not sent");
        let more = bytes.checked_sub(self.taken).filter(|_| bytes <= self.sent).ok_or(wrong)?;
        self.taken = bytes;
        Ok(more)
    }
}

/// The client's side of a stream.
#[derive(Debug)]
pub(crate) struct Reading {
    window: u64,
    arrived: u64,
    taken: u64,
    told: u64,
}

impl Reading {
    pub(crate) fn new(window: u64) -> Self {
        Self { window, arrived: 0, taken: 0, told: 0 }
    }

    /// Notes that a response has arrived.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] if the server has not waited for the reader. It knows at most what it
    /// was told.
    pub(crate) fn arrived(&mut self, weight: u64) -> Result<(), ProtocolError> {
        let ahead = self.arrived - self.told;
        if ahead > 0 && ahead >= self.window {
            return Err(ProtocolError::Malformed("a response beyond the window of its stream"));
        }
        self.arrived += weight;
        Ok(())
    }

    /// Notes that a response was taken; returns what the server is to be told.
    pub(crate) fn take(&mut self, weight: u64) -> Option<u64> {
        self.taken += weight;
        // A server that waits is a whole window ahead, so half of one is never too late.
        let is_due = self.taken - self.told > self.window / 2;
        is_due.then(|| {
            self.told = self.taken;
            self.taken
        })
    }

    /// Notes that all that has arrived is taken.
    pub(crate) fn take_all(&mut self) -> Option<u64> {
        self.take(self.arrived - self.taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_lengths_the_sender_never_waits_for_a_reader_that_has_taken_all() {
        for size in [0, 1, 2, 24, 100, 1 << 20] {
            for message in [0, 1, 25, 99, 1 << 21] {
                let (mut window, mut reading) = (Window::new(size), Reading::new(size));
                let weight = weight(message, 0);
                for _ in 0..200 {
                    let mut ahead = 0;
                    while window.is_open() && ahead < 100 {
                        window.sent(weight);
                        assert_eq!(reading.arrived(weight), Ok(()));
                        ahead += 1;
                    }
                    assert!(ahead > 0, "{size} {message}: it waits for ever");
                    assert!(window.ahead() < size.max(1) + weight || ahead == 100);
                    assert!(ahead == 100 || reading.arrived(weight).is_err());
                    for _ in 0..ahead {
                        if let Some(bytes) = reading.take(weight) {
                            assert!(window.taken(bytes).is_ok());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_credit_for_what_was_not_sent_is_refused() {
        let mut window = Window::new(100);
        window.sent(50);
        assert!(window.taken(51).is_err() && window.taken(u64::MAX).is_err());
        assert_eq!(window.taken(50), Ok(50));
        assert_eq!(window.taken(50), Ok(0));
        assert!(window.taken(49).is_err());
    }

    #[test]
    fn a_reader_that_gives_up_has_taken_all() {
        let mut reading = Reading::new(100);
        for weight in [60, 80] {
            assert_eq!(reading.arrived(weight), Ok(()));
        }
        assert_eq!(reading.take(30), None);
        assert_eq!(reading.take_all(), Some(140));
        assert_eq!(reading.take_all(), None);
    }
}

//! Where the memory of large messages comes from: this side's own, or segments that both sides of a
//! connection have mapped. See PROTOCOL.md, "Segments".

use std::collections::TryReserveError;
use std::fmt::Debug;
use std::sync::Arc;

use crate::buffer::Memory;

/// Gives memory to the messages of a connection. What it does not do stays as it is without it.
pub trait Supply: Debug + Send {
    /// Makes room in a vector for more bytes: at least `least` are there, and `most` have been
    /// announced, which is no reason to spend memory on them.
    ///
    /// # Errors
    /// When the system has no memory for them; the message is passed over then.
    fn grow(
        &mut self,
        bytes: &mut Vec<u8>,
        least: usize,
        most: u64,
    ) -> Result<(), TryReserveError> {
        // As much again as has arrived, and no more than is to come.
        bytes.try_reserve_exact(most.min(bytes.len().max(least) as u64) as usize)
    }

    /// Whether segments can be offered on this connection.
    fn has_segments(&self) -> bool {
        false
    }

    /// The memory of one of this side's segments, which the peer has filled so far; none when the
    /// peer may not have filled it.
    fn take(&mut self, _segment: u16, _bytes: usize) -> Option<Arc<dyn Memory>> {
        None
    }

    /// Takes note of a buffer that came by the stream, and may offer a segment for the next one. Its
    /// descriptor has to go along with the offer.
    fn missed(&mut self, _bytes: usize) -> Option<u16> {
        None
    }

    /// Takes the peer's offer, whose descriptor has come along unless the transport has lost it.
    fn offered(&mut self, _segment: u16) {}
}

/// Memory as vectors get it by themselves.
#[derive(Debug)]
pub(crate) struct Plain;

impl Supply for Plain {}

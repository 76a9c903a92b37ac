//! Where the memory of large messages comes from: this side's own, or segments mapped by both sides
//! of a connection. See PROTOCOL.md, "Segments".

use std::collections::TryReserveError;
use std::fmt::Debug;
use std::sync::Arc;

use crate::buffer::Memory;

/// Supplies memory to the messages of a connection. The default methods are those of a connection
/// without segments.
pub trait Supply: Debug + Send {
    /// Makes room in a vector for more bytes: at least `least` have arrived, and `most` are
    /// announced, which is no reason to allocate for all of them.
    ///
    /// # Errors
    /// If the system lacks the memory; the message is skipped then.
    fn grow(
        &mut self,
        bytes: &mut Vec<u8>,
        least: usize,
        most: u64,
    ) -> Result<(), TryReserveError> {
        // As much again as has arrived, but no more than is announced.
        bytes.try_reserve_exact(most.min(bytes.len().max(least) as u64) as usize)
    }

    /// Whether segments can be offered on this connection.
    fn has_segments(&self) -> bool {
        false
    }

    /// The memory of one of this side's segments, filled by the peer up to `bytes`; `None` if the
    /// peer was not allowed to fill it.
    fn take(&mut self, _segment: u16, _bytes: usize) -> Option<Arc<dyn Memory>> {
        None
    }

    /// Notes a buffer that came over the stream, and may return a segment to offer for the next
    /// one. Its descriptor must be sent with the offer.
    fn missed(&mut self, _bytes: usize) -> Option<u16> {
        None
    }

    /// Accepts the peer's offer, whose descriptor came with it unless the transport lost it.
    fn offered(&mut self, _segment: u16) {}
}

/// Ordinary memory of vectors.
#[derive(Debug)]
pub(crate) struct Plain;

impl Supply for Plain {}

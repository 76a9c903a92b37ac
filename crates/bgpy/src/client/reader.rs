//! What the caller that reads for all callers of a connection needs.

use std::io;
use std::time::Instant;

use socket2::Socket;

use crate::memory::segments::Segments;
use crate::platform;
use crate::spin::Spin;
use crate::transport::is_pause;

/// Bytes that one read takes at most.
const READ_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Reader {
    pub(super) buffer: Vec<u8>,
    /// Whether something came since `heard` was last set. The clock is read only when nothing comes.
    pub(super) fresh: bool,
    pub(super) heard: Instant,
    pub(super) spin: Spin,
}

impl Reader {
    /// Nobody has listened before `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self { buffer: Vec::new(), fresh: false, heard: now, spin: Spin::default() }
    }

    /// Looks for bytes for a moment.
    pub(super) fn look(
        &mut self,
        socket: &Socket,
        segments: Option<&Segments>,
    ) -> Option<io::Result<usize>> {
        let Self { buffer, spin, .. } = self;
        let mut recv = || match segments {
            Some(segments) => segments.recv(socket, buffer, true).map(|(bytes, _)| bytes),
            None => platform::recv_now(socket, buffer),
        };
        spin.look(|| match recv() {
            Err(error) if is_pause(error.kind()) => None,
            outcome => Some(outcome),
        })
    }

    /// Makes sure that there is room for what comes.
    pub(super) fn make_room(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = vec![0; READ_BYTES];
        }
    }
}

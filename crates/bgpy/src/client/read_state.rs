//! State of the leader, the caller that reads for all callers of a connection.

use std::io;
use std::time::Instant;

use socket2::Socket;

use crate::memory::segments::Segments;
use crate::platform;
use crate::spin::Spin;
use crate::transport::is_pause;

/// Most bytes taken by one read.
const READ_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct ReadState {
    pub(super) buffer: Vec<u8>,
    /// Whether bytes arrived since `heard` was last set. The clock is read only when nothing
    /// arrives.
    pub(super) fresh: bool,
    pub(super) heard: Instant,
    pub(super) spin: Spin,
}

impl ReadState {
    /// No caller has listened before `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self { buffer: Vec::new(), fresh: false, heard: now, spin: Spin::default() }
    }

    /// Spins for bytes for a moment.
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

    /// Reads what is there.
    pub(super) fn recv(
        &mut self,
        socket: &Socket,
        segments: Option<&Segments>,
    ) -> io::Result<usize> {
        match segments {
            Some(segments) => segments.recv(socket, &mut self.buffer, true).map(|(bytes, _)| bytes),
            None => platform::recv_now(socket, &mut self.buffer),
        }
    }

    /// Makes room in the buffer for the next read.
    pub(super) fn make_room(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = vec![0; READ_BYTES];
        }
    }
}

//! Bytes on their way to a peer.

use std::collections::{TryReserveError, VecDeque};
use std::io::IoSlice;
use std::sync::Arc;

use crate::buffer::{Buffer, Memory};
use crate::error::ProtocolError;
use crate::frame::{BufferEntry, Frame, HEADER_BYTES, Header, Kind};
use crate::limits::BUFFERS_MAX;
use crate::seal::{Cipher, Sealer};

/// Chunks up to this size are joined, so that a burst of small frames is sent in one write.
const JOIN_BYTES: usize = 16 << 10;

/// Chunks up to this size are kept for reuse; larger ones would add up over idle connections.
const SPARE_BYTES: usize = 1 << 10;

/// Shared memory is copied in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;

/// Most bytes of one write: a kernel may not preempt a system call that moves more.
const WRITE_BYTES: usize = 1 << 20;

/// Bytes to be written, in order. Large parts are not copied; records are sealed just before they
/// are written.
#[derive(Debug, Default)]
pub struct Outbox {
    chunks: VecDeque<Chunk>,
    /// Bytes of the first chunk that are already written or sealed.
    taken: usize,
    /// Bytes in `chunks` that are not.
    bytes: usize,
    /// The number of shared chunks.
    shared: usize,
    /// The last small chunk that was written, for reuse.
    spare: Vec<u8>,
    sealer: Option<Sealer>,
}

#[derive(Debug)]
enum Chunk {
    Owned(Vec<u8>),
    /// Memory up to `end`; the rest was copied into the following chunks.
    Shared {
        memory: Arc<dyn Memory>,
        end: usize,
    },
    /// The offer of a segment, to be sent with its descriptor.
    Offer {
        frame: [u8; HEADER_BYTES],
        segment: u16,
    },
}

impl Chunk {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared { memory, end } => &memory.as_slice()[..*end],
            Self::Offer { frame, .. } => frame,
        }
    }
}

impl Outbox {
    pub(crate) fn sealed(cipher: Option<Cipher>) -> Self {
        Self { sealer: cipher.map(Sealer::new), ..Self::default() }
    }

    /// The number of queued bytes; not yet sealed bytes count as plain bytes.
    pub fn len(&self) -> usize {
        self.bytes + self.sealer.as_ref().map_or(0, |sealer| sealer.records().len())
    }

    /// Whether everything is written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] if it has more buffers than a frame can list.
    pub(crate) fn send(&mut self, frame: Frame) -> Result<(), ProtocolError> {
        self.send_headed(&[], frame)
    }

    /// Appends a frame whose data begins with a head.
    ///
    /// # Errors
    /// See [`send`](Self::send).
    pub(crate) fn send_headed(&mut self, head: &[u8], frame: Frame) -> Result<(), ProtocolError> {
        let Frame { kind, flags, seq, call, payload, .. } = frame;
        let buffers =
            u16::try_from(payload.buffers.len()).map_err(|_| ProtocolError::TooLarge {
                what: "a buffer table",
                bytes: payload.buffers.len() as u64 * 8,
                limit: BUFFERS_MAX as u64 * 8,
            })?;
        let data_bytes = (head.len() + payload.data.len()) as u64;
        let header = Header { kind, flags, buffers, seq, call, data_bytes };
        self.extend(&header.encode());
        if buffers > 0 {
            let table = payload.buffers.iter().map(|buffer| {
                let segment = match buffer {
                    Buffer::Lent { segment, .. } => Some(*segment),
                    _ => None,
                };
                BufferEntry { bytes: buffer.len() as u64, segment }
            });
            self.push(Buffer::Owned(table.flat_map(BufferEntry::encode).collect()));
        }
        self.extend(head);
        self.push(Buffer::Owned(payload.data));
        payload.buffers.into_iter().for_each(|buffer| self.push(buffer));
        Ok(())
    }

    /// Appends a copy of `bytes`.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        // No chunk may be empty, or `front` would be empty while bytes are queued.
        if bytes.is_empty() {
            return;
        }
        self.bytes += bytes.len();
        match self.chunks.back_mut() {
            Some(Chunk::Owned(last)) if last.len() + bytes.len() <= JOIN_BYTES => {
                last.extend_from_slice(bytes);
            }
            _ => {
                let mut chunk = std::mem::take(&mut self.spare);
                chunk.extend_from_slice(bytes);
                self.chunks.push_back(Chunk::Owned(chunk));
            }
        }
    }

    /// Appends a buffer, without copying it if it is large.
    fn push(&mut self, buffer: Buffer) {
        if buffer.len() <= JOIN_BYTES && !matches!(buffer, Buffer::Lent { .. }) {
            return self.extend(&buffer);
        }
        let bytes = buffer.len();
        self.chunks.push_back(match buffer {
            Buffer::Owned(bytes) => Chunk::Owned(bytes),
            Buffer::Shared(memory) => {
                self.shared += 1;
                let end = memory.as_slice().len();
                Chunk::Shared { memory, end }
            }
            // It is already in the receiver's memory.
            Buffer::Lent { .. } => return,
        });
        self.bytes += bytes;
    }

    /// Appends the offer of a segment.
    pub(crate) fn offer(&mut self, kind: Kind, segment: u16) {
        let header =
            Header { kind, flags: 0, buffers: 0, seq: segment.into(), call: 0, data_bytes: 0 };
        self.bytes += HEADER_BYTES;
        self.chunks.push_back(Chunk::Offer { frame: header.encode(), segment });
    }

    /// The segment whose descriptor must be sent with the first byte of [`front`](Self::front), in
    /// a write of only that slice.
    pub fn attached(&self) -> Option<u16> {
        match self.chunks.front() {
            Some(Chunk::Offer { segment, .. }) if self.taken == 0 => Some(*segment),
            _ => None,
        }
    }

    /// Whether memory that other owners may change is queued.
    pub fn is_shared(&self) -> bool {
        self.shared > 0
    }

    /// Copies a piece of the memory that other owners may change; `false` if none is queued. Starts
    /// at the far end, while the transport takes bytes from the front.
    ///
    /// # Errors
    /// If the system lacks the memory for the copy.
    pub fn own_some(&mut self) -> Result<bool, TryReserveError> {
        if !self.is_shared() {
            return Ok(false);
        }
        let is_shared = |chunk: &Chunk| matches!(chunk, Chunk::Shared { .. });
        let Some(index) = self.chunks.iter().rposition(is_shared) else { return Ok(false) };
        let taken = if index == 0 { self.taken } else { 0 };
        let Chunk::Shared { memory, end } = &mut self.chunks[index] else { return Ok(false) };
        let start = taken.max(end.saturating_sub(PIECE_BYTES));
        let mut piece = Vec::new();
        piece.try_reserve_exact(*end - start)?;
        piece.extend_from_slice(&memory.as_slice()[start..*end]);
        *end = start;
        self.chunks.insert(index + 1, Chunk::Owned(piece));
        if start == taken {
            self.chunks.remove(index);
            self.shared -= 1;
            if index == 0 {
                self.taken = 0;
            }
        }
        Ok(true)
    }

    /// Seals what the next write may take.
    fn prepare(&mut self) {
        let Some(mut sealer) = self.sealer.take() else { return };
        if sealer.records().is_empty() {
            while let Some(chunk) = self.chunks.front()
                && sealer.has_room()
            {
                let sealed = sealer.seal(&chunk.as_slice()[self.taken..]);
                if sealed == 0 {
                    break;
                }
                self.take(sealed);
            }
        }
        self.sealer = Some(sealer);
    }

    /// The queued bytes as slices for a vectored write; the numbers of slices and bytes are
    /// limited.
    pub fn slices(&mut self) -> Vec<IoSlice<'_>> {
        self.prepare();
        if let Some(sealer) = &self.sealer {
            let records = sealer.records();
            return if records.is_empty() { Vec::new() } else { vec![IoSlice::new(records)] };
        }
        let (mut taken, mut room) = (self.taken, WRITE_BYTES);
        self.chunks
            .iter()
            .enumerate()
            .take_while(|(index, chunk)| *index == 0 || !matches!(chunk, Chunk::Offer { .. }))
            .take(64)
            .map(|(_, chunk)| {
                let slice = &chunk.as_slice()[std::mem::take(&mut taken)..];
                let slice = &slice[..slice.len().min(room)];
                room -= slice.len();
                IoSlice::new(slice)
            })
            .take_while(|slice| !slice.is_empty())
            .collect()
    }

    /// The first queued bytes in one slice, at most as many as for one write; empty if nothing is
    /// queued.
    pub fn front(&mut self) -> &[u8] {
        self.prepare();
        match &self.sealer {
            Some(sealer) => sealer.records(),
            None => self.chunks.front().map_or(&[], |chunk| {
                let slice = &chunk.as_slice()[self.taken..];
                &slice[..slice.len().min(WRITE_BYTES)]
            }),
        }
    }

    /// Whether [`front`](Self::front) is all that a write can take.
    pub fn is_single(&self) -> bool {
        self.sealer.is_some() || self.chunks.len() <= 1
    }

    /// Removes the first `count` bytes, because they are written.
    pub fn advance(&mut self, count: usize) {
        let Some(sealer) = &mut self.sealer else { return self.take(count) };
        sealer.advance(count);
        if self.chunks.is_empty() {
            sealer.shrink();
        }
    }

    /// Removes everything, because it will never be written.
    pub fn clear(&mut self) {
        *self = Self { sealer: self.sealer.take(), ..Self::default() };
    }

    /// Removes the first `count` bytes of the chunks.
    fn take(&mut self, mut count: usize) {
        self.bytes -= count;
        while let Some(first) = self.chunks.front() {
            let left = first.as_slice().len() - self.taken;
            if count < left {
                self.taken += count;
                return;
            }
            count -= left;
            self.taken = 0;
            match self.chunks.pop_front() {
                Some(Chunk::Owned(mut chunk)) if chunk.capacity() <= SPARE_BYTES => {
                    chunk.clear();
                    self.spare = chunk;
                }
                Some(Chunk::Shared { .. }) => self.shared -= 1,
                _ => {}
            }
        }
    }
}

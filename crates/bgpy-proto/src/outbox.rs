//! Bytes on their way to a peer.

use std::collections::VecDeque;
use std::io::IoSlice;

/// Chunks up to this size are joined, so that a burst of small frames leaves in one write.
const JOIN_BYTES: usize = 16 << 10;

/// Chunks up to this size are kept for the next bytes; more would add up over idle connections.
const SPARE_BYTES: usize = 1 << 10;

/// Ordered bytes that wait to be written. Large parts keep the vector they came in.
#[derive(Debug, Default)]
pub struct Outbox {
    chunks: VecDeque<Vec<u8>>,
    /// Bytes of the first chunk that are written already.
    written: usize,
    bytes: usize,
    /// The last small chunk that was written, to be filled again.
    spare: Vec<u8>,
}

impl Outbox {
    /// Number of bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether everything is written.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Appends a copy of `bytes`.
    pub fn extend(&mut self, bytes: &[u8]) {
        // No chunk is empty, or `front` would be empty while bytes wait.
        if bytes.is_empty() {
            return;
        }
        self.bytes += bytes.len();
        match self.chunks.back_mut() {
            Some(last) if last.len() + bytes.len() <= JOIN_BYTES => last.extend_from_slice(bytes),
            _ => {
                let mut chunk = std::mem::take(&mut self.spare);
                chunk.extend_from_slice(bytes);
                self.chunks.push_back(chunk);
            }
        }
    }

    /// Appends `length` bytes, which `fill` writes into zeros. The place is in one piece.
    pub(crate) fn extend_with(&mut self, length: usize, fill: impl FnOnce(&mut [u8])) {
        self.bytes += length;
        if self.chunks.back().is_none_or(|last| last.len() + length > JOIN_BYTES) {
            self.chunks.push_back(std::mem::take(&mut self.spare));
        }
        let last = self.chunks.back_mut().expect("one was pushed unless there was one");
        let start = last.len();
        last.resize(start + length, 0);
        fill(&mut last[start..]);
    }

    /// Appends `bytes`, without copying them where they are many.
    pub fn push(&mut self, bytes: Vec<u8>) {
        if bytes.len() <= JOIN_BYTES {
            self.extend(&bytes);
        } else {
            self.bytes += bytes.len();
            self.chunks.push_back(bytes);
        }
    }

    /// Appends everything of `other`.
    pub fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        debug_assert_eq!(other.written, 0, "only the box that is written from has a written part");
        self.bytes += other.bytes;
        self.chunks.append(&mut other.chunks);
        other.bytes = 0;
    }

    /// The waiting bytes as slices for a vectored write; the number of slices is bounded.
    pub fn slices(&self) -> Vec<IoSlice<'_>> {
        let skip = |(index, chunk)| -> IoSlice<'_> {
            let chunk: &Vec<u8> = chunk;
            IoSlice::new(if index == 0 { &chunk[self.written..] } else { chunk })
        };
        self.chunks.iter().enumerate().take(64).map(skip).collect()
    }

    /// The first waiting bytes in one piece; empty when nothing waits.
    pub fn front(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |chunk| &chunk[self.written..])
    }

    /// Whether all that waits lies in one piece, that is, in [`front`](Self::front).
    pub fn is_single(&self) -> bool {
        self.chunks.len() <= 1
    }

    /// Forgets the first `count` bytes, because they are written.
    pub fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        while let Some(first) = self.chunks.front() {
            let left = first.len() - self.written;
            if count < left {
                self.written += count;
                return;
            }
            count -= left;
            self.written = 0;
            if let Some(mut chunk) = self.chunks.pop_front().filter(|c| c.capacity() <= SPARE_BYTES)
            {
                chunk.clear();
                self.spare = chunk;
            }
        }
    }
}

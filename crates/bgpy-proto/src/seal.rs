//! Sealed records: the form of a frame on TCP. See PROTOCOL.md, "Records".

use std::sync::Arc;

use snow::StatelessTransportState;

use crate::error::ProtocolError;
use crate::limits::{RECORD_BYTES_MAX, RECORD_PLAIN_BYTES_MAX};

const TAG_BYTES: usize = 16;

/// Bytes of records sealed ahead of a write: as much as a socket may take at once, and little
/// enough to be in the CPU cache when it does.
const AHEAD_BYTES: usize = 128 << 10;

/// Memory up to this size is kept for the next record.
const KEPT_BYTES: usize = 1 << 10;

/// The cipher of one direction of a connection.
#[derive(Debug)]
pub(crate) struct Cipher {
    noise: Arc<StatelessTransportState>,
    /// Number of the next record: the AEAD's nonce, so that records cannot be reordered.
    nonce: u64,
}

impl Cipher {
    pub(crate) fn new(noise: Arc<StatelessTransportState>, nonce: u64) -> Self {
        Self { noise, nonce }
    }

    /// Opens a record without its prefix into `plain`, which has room for the record with its tag.
    pub(crate) fn open(&mut self, sealed: &[u8], plain: &mut [u8]) -> Result<usize, ProtocolError> {
        let bytes = self
            .noise
            .read_message(self.nonce, sealed, plain)
            .map_err(|_| ProtocolError::Unauthenticated)?;
        self.nonce += 1;
        Ok(bytes)
    }
}

/// Sealed records that are not written yet.
#[derive(Debug)]
pub(crate) struct Sealer {
    cipher: Cipher,
    /// Memory for records, of which `start..end` is queued.
    records: Vec<u8>,
    start: usize,
    end: usize,
}

impl Sealer {
    pub(crate) fn new(cipher: Cipher) -> Self {
        Self { cipher, records: Vec::new(), start: 0, end: 0 }
    }

    /// The queued records.
    pub(crate) fn records(&self) -> &[u8] {
        &self.records[self.start..self.end]
    }

    /// Whether more is sealed before the next write.
    pub(crate) fn has_room(&self) -> bool {
        self.end < AHEAD_BYTES
    }

    /// Seals one record from the start of `plain`, and returns how many bytes it holds: none if
    /// there is no memory for another record and others are queued.
    pub(crate) fn seal(&mut self, plain: &[u8]) -> usize {
        let mut piece = &plain[..plain.len().min(RECORD_PLAIN_BYTES_MAX)];
        let missing = (self.end + 2 + piece.len() + TAG_BYTES).saturating_sub(self.records.len());
        if missing > 0 && self.records.try_reserve_exact(missing).is_err() {
            // A short record will do if memory is short.
            if self.end > 0 {
                return 0;
            }
            piece = &piece[..piece.len().min(KEPT_BYTES)];
        }
        let sealed = piece.len() + TAG_BYTES;
        let end = self.end + 2 + sealed;
        if self.records.len() < end {
            self.records.resize(end, 0);
        }
        let (prefix, record) = self.records[self.end..end].split_at_mut(2);
        prefix.copy_from_slice(&(sealed as u16).to_le_bytes());
        self.cipher
            .noise
            .write_message(self.cipher.nonce, piece, record)
            .expect("the piece is below Noise's limit and the record has room for its tag");
        self.cipher.nonce += 1;
        self.end = end;
        piece.len()
    }

    /// Removes the first `count` bytes, because they are written.
    pub(crate) fn advance(&mut self, count: usize) {
        self.start += count;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Frees memory that an idle connection does not need.
    pub(crate) fn shrink(&mut self) {
        if self.end == 0 && self.records.len() > KEPT_BYTES {
            self.records = Vec::new();
        }
    }
}

/// Length of the record at the start of `input`, with its prefix; `None` if the prefix is
/// incomplete.
pub(crate) fn record_bytes(input: &[u8]) -> Result<Option<usize>, ProtocolError> {
    let Some(prefix) = input.first_chunk::<2>() else { return Ok(None) };
    let sealed = usize::from(u16::from_le_bytes(*prefix));
    if !(TAG_BYTES + 1..=RECORD_BYTES_MAX).contains(&sealed) {
        return Err(ProtocolError::Malformed("a record that is empty or has no room for its tag"));
    }
    Ok(Some(2 + sealed))
}

//! What lies between frames and the transport: nothing on a Unix socket, sealed records on TCP.
//!
//! See PROTOCOL.md, "Records". Both directions are independent of one another.

use std::collections::VecDeque;
use std::sync::Arc;

use snow::StatelessTransportState;

use crate::error::ProtocolError;
use crate::frame::{Frame, Header};
use crate::framing::{Framing, Grow};
use crate::limits::{BUFFERS_MAX, RECORD_BYTES_MAX, RECORD_PLAIN_BYTES_MAX};
use crate::outbox::Outbox;

const TAG_BYTES: usize = 16;

/// Buffers up to this size are kept for the next record.
const KEPT_BYTES: usize = 1 << 10;

/// Payloads up to this size are sealed together with their header.
const SMALL_BYTES: u64 = 4096;

/// Turns frames into the bytes of one direction.
#[derive(Debug)]
pub struct Sender {
    seal: Option<Cipher>,
}

/// Turns the bytes of one direction into frames.
#[derive(Debug)]
pub struct Receiver {
    open: Option<Opener>,
    framing: Framing,
}

#[derive(Debug)]
struct Cipher {
    noise: Arc<StatelessTransportState>,
    /// Number of the next record: the AEAD's nonce, so that records cannot be reordered.
    nonce: u64,
}

#[derive(Debug)]
struct Opener {
    cipher: Cipher,
    /// The record under way: its length prefix and what has arrived of it.
    partial: Vec<u8>,
    plain: Vec<u8>,
}

impl Sender {
    pub(crate) fn new(noise: Option<Arc<StatelessTransportState>>, nonce: u64) -> Self {
        Self { seal: noise.map(|noise| Cipher { noise, nonce }) }
    }

    /// Appends a frame to what is to be written.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] when it has more buffers than a frame can name.
    pub fn send(&mut self, frame: Frame, out: &mut Outbox) -> Result<(), ProtocolError> {
        let Frame { kind, flags, seq, call, payload } = frame;
        if payload.buffers.len() > BUFFERS_MAX {
            return Err(ProtocolError::TooLarge {
                what: "a buffer table",
                bytes: payload.buffers.len() as u64 * 8,
                limit: BUFFERS_MAX as u64 * 8,
            });
        }
        let buffers = payload.buffers.len() as u16;
        let header =
            Header { kind, flags, buffers, seq, call, data_bytes: payload.data.len() as u64 };
        let table = payload.buffers.iter().flat_map(|buffer| (buffer.len() as u64).to_le_bytes());
        match &mut self.seal {
            None => {
                out.extend(&header.encode());
                if buffers > 0 {
                    out.push(table.collect());
                }
                out.push(payload.data);
                payload.buffers.into_iter().for_each(|buffer| out.push(buffer));
            }
            Some(cipher) => {
                let mut head = header.encode().to_vec();
                head.extend(table);
                // A small frame is one record, because each record costs a tag and a call.
                if payload.bytes() <= SMALL_BYTES {
                    head.extend_from_slice(&payload.data);
                    payload.buffers.iter().for_each(|buffer| head.extend_from_slice(buffer));
                    cipher.seal(&head, out);
                } else {
                    cipher.seal(&head, out);
                    cipher.seal(&payload.data, out);
                    payload.buffers.iter().for_each(|buffer| cipher.seal(buffer, out));
                }
            }
        }
        Ok(())
    }
}

impl Cipher {
    fn seal(&mut self, plain: &[u8], out: &mut Outbox) {
        for piece in plain.chunks(RECORD_PLAIN_BYTES_MAX) {
            let sealed = piece.len() + TAG_BYTES;
            out.extend_with(2 + sealed, |record| {
                record[..2].copy_from_slice(&(sealed as u16).to_le_bytes());
                self.noise
                    .write_message(self.nonce, piece, &mut record[2..])
                    .expect("the piece is below Noise's limit and the record has room for its tag");
            });
            self.nonce += 1;
        }
    }
}

impl Receiver {
    pub(crate) fn new(
        noise: Option<Arc<StatelessTransportState>>,
        nonce: u64,
        message_bytes_max: u64,
    ) -> Self {
        let open = noise.map(|noise| Opener {
            cipher: Cipher { noise, nonce },
            partial: Vec::new(),
            plain: Vec::new(),
        });
        Self { open, framing: Framing::new(message_bytes_max) }
    }

    /// See [`Framing::grow_with`].
    pub(crate) fn grow_with(&mut self, grow: Grow) {
        self.framing.grow_with(grow);
    }

    /// Takes the next bytes from the transport and appends the frames that they complete.
    ///
    /// # Errors
    /// Those of [`Framing::feed`], and [`ProtocolError::Unauthenticated`] for a record that does
    /// not open.
    pub fn feed(
        &mut self,
        input: &[u8],
        frames: &mut VecDeque<Frame>,
    ) -> Result<(), ProtocolError> {
        match &mut self.open {
            None => self.framing.feed(input, frames),
            Some(opener) => opener.feed(input, &mut self.framing, frames),
        }
    }
}

impl Opener {
    fn feed(
        &mut self,
        mut input: &[u8],
        framing: &mut Framing,
        frames: &mut VecDeque<Frame>,
    ) -> Result<(), ProtocolError> {
        // Whole records are opened where they lie; only one that is cut is copied together.
        while !self.partial.is_empty() {
            let need = record_bytes(&self.partial)?.unwrap_or(2);
            let take = input.len().min(need - self.partial.len());
            self.partial.extend_from_slice(&input[..take]);
            input = &input[take..];
            match record_bytes(&self.partial)? {
                Some(bytes) if self.partial.len() == bytes => {
                    let record = std::mem::take(&mut self.partial);
                    self.open(&record[2..], framing, frames)?;
                }
                _ if input.is_empty() => return Ok(()),
                _ => {}
            }
        }
        while let Some(bytes) = record_bytes(input)? {
            let Some((record, rest)) = input.split_at_checked(bytes) else { break };
            self.open(&record[2..], framing, frames)?;
            input = rest;
        }
        self.partial.extend_from_slice(input);
        // An idle connection keeps no large buffers.
        if self.partial.is_empty() && self.partial.capacity() > KEPT_BYTES {
            self.partial = Vec::new();
        }
        if self.plain.capacity() > KEPT_BYTES {
            self.plain = Vec::new();
        }
        Ok(())
    }

    fn open(
        &mut self,
        sealed: &[u8],
        framing: &mut Framing,
        frames: &mut VecDeque<Frame>,
    ) -> Result<(), ProtocolError> {
        if self.plain.len() < sealed.len() {
            self.plain.resize(sealed.len(), 0);
        }
        let Cipher { noise, nonce } = &mut self.cipher;
        let bytes = noise
            .read_message(*nonce, sealed, &mut self.plain)
            .map_err(|_| ProtocolError::Unauthenticated)?;
        *nonce += 1;
        framing.feed(&self.plain[..bytes], frames)
    }
}

/// Length of the record that starts here, prefix included; `None` until the prefix is there.
fn record_bytes(input: &[u8]) -> Result<Option<usize>, ProtocolError> {
    let Some(prefix) = input.first_chunk::<2>() else { return Ok(None) };
    let sealed = usize::from(u16::from_le_bytes(*prefix));
    if !(TAG_BYTES + 1..=RECORD_BYTES_MAX).contains(&sealed) {
        return Err(ProtocolError::Malformed("a record that is empty or has no room for its tag"));
    }
    Ok(Some(2 + sealed))
}

//! Turns the bytes of a transport into frames: plain on a Unix socket, sealed on TCP.

use std::collections::{TryReserveError, VecDeque};

use crate::buffer::Buffer;
use crate::error::ProtocolError;
use crate::frame::{Frame, Payload};
use crate::framing::Framing;
use crate::seal::{Cipher, record_bytes};
use crate::supply::Supply;

/// Buffers up to this size are kept for the next record.
const KEPT_BYTES: usize = 1 << 10;

/// Turns the bytes of one direction into frames.
#[derive(Debug)]
pub(crate) struct Receiver {
    open: Option<Opener>,
    framing: Framing,
    frames: VecDeque<Frame>,
}

#[derive(Debug)]
struct Opener {
    cipher: Cipher,
    /// The record under way: its length prefix and the bytes that have arrived.
    partial: Vec<u8>,
    plain: Vec<u8>,
}

impl Receiver {
    pub(crate) fn new(cipher: Option<Cipher>, message_bytes_max: u64) -> Self {
        let open = cipher.map(|cipher| Opener { cipher, partial: Vec::new(), plain: Vec::new() });
        Self { open, framing: Framing::new(message_bytes_max), frames: VecDeque::new() }
    }

    /// See [`Framing::supply_with`].
    pub(crate) fn supply_with(&mut self, supply: Box<dyn Supply>) {
        self.framing.supply_with(supply);
    }

    /// Accepts an offer of the peer.
    pub(crate) fn offered(&mut self, seq: u32) -> Result<(), ProtocolError> {
        let supply = self.framing.supply();
        let segment = u16::try_from(seq).ok().filter(|_| supply.has_segments());
        let segment = segment.ok_or(ProtocolError::Malformed("an offer that nobody can take"))?;
        supply.offered(segment);
        Ok(())
    }

    /// Notes the large buffers of a message that came over the stream, and returns the segment to
    /// offer.
    pub(crate) fn missed(&mut self, payload: &Payload) -> Option<u16> {
        let supply = self.framing.supply();
        let by_stream = payload.buffers.iter().filter(|buffer| matches!(buffer, Buffer::Owned(_)));
        by_stream.map(|buffer| buffer.len()).max().and_then(|bytes| supply.missed(bytes))
    }

    /// Processes the next bytes of the transport.
    ///
    /// # Errors
    /// Those of [`Framing::feed`], and [`ProtocolError::Unauthenticated`] for a record that cannot
    /// be opened.
    pub(crate) fn feed(&mut self, input: &[u8]) -> Result<(), ProtocolError> {
        match &mut self.open {
            None => self.framing.feed(input, &mut self.frames),
            Some(opener) => opener.feed(input, &mut self.framing, &mut self.frames),
        }
    }

    /// See [`Framing::place`]. Sealed bytes have no place before they are opened.
    pub(crate) fn place(&mut self) -> Option<(&mut Vec<u8>, usize)> {
        if self.open.is_some() { None } else { self.framing.place() }
    }

    /// The next complete frame.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }
}

impl Opener {
    fn feed(
        &mut self,
        mut input: &[u8],
        framing: &mut Framing,
        frames: &mut VecDeque<Frame>,
    ) -> Result<(), ProtocolError> {
        // Complete records are opened in the input; only a partial one is copied.
        while !self.partial.is_empty() {
            let need = record_bytes(&self.partial)?.unwrap_or(2);
            let take = input.len().min(need - self.partial.len());
            append(&mut self.partial, &input[..take])?;
            input = &input[take..];
            match record_bytes(&self.partial)? {
                Some(bytes) if self.partial.len() == bytes => {
                    let mut record = std::mem::take(&mut self.partial);
                    self.open(&record[2..], framing, frames)?;
                    record.clear();
                    self.partial = record;
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
        append(&mut self.partial, input)?;
        // An idle connection keeps no large buffers.
        if framing.at_boundary() && self.partial.is_empty() {
            if self.partial.capacity() > KEPT_BYTES {
                self.partial = Vec::new();
            }
            if self.plain.capacity() > KEPT_BYTES {
                self.plain = Vec::new();
            }
        }
        Ok(())
    }

    fn open(
        &mut self,
        sealed: &[u8],
        framing: &mut Framing,
        frames: &mut VecDeque<Frame>,
    ) -> Result<(), ProtocolError> {
        // A record of a large part is opened directly in its buffer, which has room for the tag.
        if let Some((part, missing)) = framing.place()
            && missing.min(part.capacity() - part.len()) >= sealed.len()
        {
            let start = part.len();
            part.resize(start + sealed.len(), 0);
            let bytes = self.cipher.open(sealed, &mut part[start..])?;
            part.truncate(start + bytes);
            return framing.feed(&[], frames);
        }
        if self.plain.len() < sealed.len() {
            self.plain.try_reserve_exact(sealed.len() - self.plain.len()).map_err(short(sealed))?;
            self.plain.resize(sealed.len(), 0);
        }
        let bytes = self.cipher.open(sealed, &mut self.plain)?;
        framing.feed(&self.plain[..bytes], frames)
    }
}

/// Appends bytes of a record, if there is memory for them. Without them the rest of the stream
/// cannot be opened.
fn append(partial: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ProtocolError> {
    partial.try_reserve(bytes.len()).map_err(short(bytes))?;
    partial.extend_from_slice(bytes);
    Ok(())
}

fn short(record: &[u8]) -> impl FnOnce(TryReserveError) -> ProtocolError {
    let bytes = record.len() as u64;
    move |_| ProtocolError::Memory { bytes }
}

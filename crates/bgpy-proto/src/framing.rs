//! Cuts a stream of bytes into frames.

use std::collections::{TryReserveError, VecDeque};

use crate::buffer::Buffer;
use crate::error::ProtocolError;
use crate::frame::{BufferEntry, Frame, HEADER_BYTES, Header, Missing, Payload};
use crate::limits::RESERVE_BYTES_MAX;
use crate::supply::{Plain, Supply};

/// Parts with at least this many missing bytes are read directly into their buffer; for shorter
/// ones, one read that includes the following bytes is cheaper.
const DIRECT_BYTES: u64 = 64 << 10;

/// Data up to this length is copied with an infallible allocation.
const LITTLE_BYTES: usize = 1 << 10;

/// Cuts a stream of plain bytes into frames. Copies each byte once, into the vector owned by the
/// frame, and holds only the frame under way.
#[derive(Debug)]
pub struct Framing {
    message_bytes_max: u64,
    supply: Box<dyn Supply>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Header {
        bytes: [u8; HEADER_BYTES],
        have: usize,
    },
    Table {
        header: Header,
        bytes: Vec<u8>,
    },
    Body(Box<Body>),
    /// A frame too large for the available memory: its bytes are skipped, so that later frames
    /// still arrive.
    Skip {
        header: Header,
        bytes: u64,
        left: u64,
    },
}

/// A frame whose header and buffer table are known. `parts` holds its data, then its buffers.
#[derive(Debug)]
struct Body {
    header: Header,
    /// Length of each buffer in the stream.
    lengths: Vec<u64>,
    parts: Vec<Vec<u8>>,
    /// Buffers in segments, by index.
    lent: Vec<(usize, Buffer)>,
}

impl Stage {
    const START: Self = Self::Header { bytes: [0; HEADER_BYTES], have: 0 };

    /// Waits for a frame's parts, if there is memory for the first of them.
    fn body(mut body: Body) -> Self {
        match reserve(&mut body.parts[0], body.header.data_bytes) {
            Ok(()) => Self::Body(Box::new(body)),
            Err(_) => body.skip(),
        }
    }
}

impl Framing {
    /// Accepts frames whose data and buffers together are at most `message_bytes_max` long.
    pub fn new(message_bytes_max: u64) -> Self {
        Self { message_bytes_max, supply: Box::new(Plain), stage: Stage::START }
    }

    /// Sets the supply of memory for large frames.
    pub fn supply_with(&mut self, supply: Box<dyn Supply>) {
        self.supply = supply;
    }

    /// The supply of memory for large frames.
    pub(crate) fn supply(&mut self) -> &mut dyn Supply {
        &mut *self.supply
    }

    /// Whether the stream is between two frames.
    pub fn at_boundary(&self) -> bool {
        matches!(self.stage, Stage::Header { have: 0, .. })
    }

    /// Processes the next bytes of the stream and appends the completed frames.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] and [`ProtocolError::TooLarge`]; the stream is unusable then.
    pub fn feed(
        &mut self,
        mut input: &[u8],
        frames: &mut VecDeque<Frame>,
    ) -> Result<(), ProtocolError> {
        loop {
            match &mut self.stage {
                Stage::Header { bytes, have } => {
                    let take = input.len().min(HEADER_BYTES - *have);
                    bytes[*have..*have + take].copy_from_slice(&input[..take]);
                    *have += take;
                    input = &input[take..];
                    if *have < HEADER_BYTES {
                        return Ok(());
                    }
                    let header = Header::decode(bytes)?;
                    check(header.data_bytes, self.message_bytes_max)?;
                    // A frame that is complete in the input, as small ones are, needs no stages.
                    let whole = usize::try_from(header.data_bytes).ok();
                    let whole = whole.filter(|_| header.buffers == 0);
                    if let Some((data, rest)) = whole.and_then(|n| input.split_at_checked(n)) {
                        frames.push_back(match copied(data) {
                            Ok(copy) => header.frame(copy, Vec::new()),
                            Err(_) => header.missing(data.len() as u64),
                        });
                        self.stage = Stage::START;
                        input = rest;
                        if input.is_empty() {
                            return Ok(());
                        }
                        continue;
                    }
                    self.stage = if header.buffers == 0 {
                        Stage::body(Body::new(header))
                    } else {
                        Stage::Table { header, bytes: Vec::new() }
                    };
                }
                Stage::Table { header, bytes } => {
                    let need = usize::from(header.buffers) * 8;
                    bytes.try_reserve_exact(need - bytes.len()).map_err(short(need))?;
                    let take = input.len().min(need - bytes.len());
                    bytes.extend_from_slice(&input[..take]);
                    input = &input[take..];
                    if bytes.len() < need {
                        return Ok(());
                    }
                    let (entries, _) = bytes.as_chunks::<8>();
                    let entries = entries.iter().map(|entry| BufferEntry::decode(*entry));
                    let mut body = Body::new(*header);
                    let mut lengths = entries.clone().map(|entry| entry.bytes);
                    let total = lengths.try_fold(header.data_bytes, u64::checked_add);
                    check(total.unwrap_or(u64::MAX), self.message_bytes_max)?;
                    body.expect(entries, &mut *self.supply)?;
                    self.stage = Stage::body(body);
                }
                Stage::Body(body) => {
                    if body.fill(&mut input, &mut *self.supply).is_err() {
                        self.stage = body.skip();
                        continue;
                    }
                    if !body.is_complete() {
                        return Ok(());
                    }
                    let Stage::Body(body) = std::mem::replace(&mut self.stage, Stage::START) else {
                        unreachable!("the stage was just matched")
                    };
                    frames.push_back(body.into_frame());
                    if input.is_empty() {
                        return Ok(());
                    }
                }
                Stage::Skip { header, bytes, left } => {
                    let take = (*left).min(input.len() as u64);
                    input = &input[take as usize..];
                    *left -= take;
                    if *left > 0 {
                        return Ok(());
                    }
                    frames.push_back(header.missing(*bytes));
                    self.stage = Stage::START;
                    if input.is_empty() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Where the next bytes of a large part belong, and how many. After reading them directly to
    /// the end of the vector, call [`feed`](Self::feed) without bytes.
    pub fn place(&mut self) -> Option<(&mut Vec<u8>, usize)> {
        if let Stage::Body(body) = &mut self.stage
            && body.is_large()
            && body.reserve(1, &mut *self.supply).is_err()
        {
            self.stage = body.skip();
        }
        match &mut self.stage {
            Stage::Body(body) if body.is_large() => Some(body.place()),
            _ => None,
        }
    }
}

fn check(bytes: u64, limit: u64) -> Result<(), ProtocolError> {
    if bytes > limit {
        return Err(ProtocolError::TooLarge { what: "a message", bytes, limit });
    }
    Ok(())
}

/// A failed allocation without which the stream cannot be parsed.
fn short(bytes: usize) -> impl FnOnce(TryReserveError) -> ProtocolError {
    move |_| ProtocolError::Memory { bytes: bytes as u64 }
}

impl Body {
    fn new(header: Header) -> Self {
        Self { header, lengths: Vec::new(), parts: vec![Vec::new()], lent: Vec::new() }
    }

    /// Records where the buffers are or will be.
    fn expect(
        &mut self,
        entries: impl ExactSizeIterator<Item = BufferEntry>,
        supply: &mut dyn Supply,
    ) -> Result<(), ProtocolError> {
        let count = entries.len();
        self.lengths.try_reserve_exact(count).map_err(short(count))?;
        self.parts.try_reserve_exact(count).map_err(short(count))?;
        for (index, BufferEntry { bytes, segment }) in entries.enumerate() {
            let Some(segment) = segment else {
                self.lengths.push(bytes);
                continue;
            };
            let memory = usize::try_from(bytes).ok();
            let memory = memory.and_then(|bytes| supply.take(segment, bytes));
            let memory = memory
                .ok_or(ProtocolError::Malformed("a buffer in a segment that cannot hold it"))?;
            self.lent.push((index, Buffer::Lent { segment, memory }));
            self.lengths.push(0);
        }
        Ok(())
    }

    fn length(&self, part: usize) -> u64 {
        if part == 0 { self.header.data_bytes } else { self.lengths[part - 1] }
    }

    /// Moves bytes from the input into the parts.
    fn fill(&mut self, input: &mut &[u8], supply: &mut dyn Supply) -> Result<(), TryReserveError> {
        loop {
            let (index, missing) = self.under_way();
            let take = missing.min(input.len() as u64) as usize;
            self.reserve(take, supply)?;
            let (bytes, rest) = input.split_at(take);
            self.parts[index].extend_from_slice(bytes);
            *input = rest;
            if missing > take as u64 || index == self.lengths.len() {
                return Ok(());
            }
            let mut part = Vec::new();
            reserve(&mut part, self.lengths[index])?;
            self.parts.push(part);
        }
    }

    /// Whether the next bytes are read directly into their buffer.
    fn is_large(&self) -> bool {
        self.under_way().1 >= DIRECT_BYTES
    }

    /// The free room for the next bytes.
    fn place(&mut self) -> (&mut Vec<u8>, usize) {
        let (index, missing) = self.under_way();
        let part = &mut self.parts[index];
        let room = part.capacity() - part.len();
        (part, missing.min(room as u64) as usize)
    }

    /// Drops what has arrived, and skips the rest. Buffers in segments are released.
    fn skip(&mut self) -> Stage {
        let lent: u64 = self.lent.iter().map(|(_, buffer)| buffer.len() as u64).sum();
        let stream = self.header.data_bytes + self.lengths.iter().sum::<u64>();
        let arrived: u64 = self.parts.iter().map(|part| part.len() as u64).sum();
        (self.parts, self.lent) = (vec![Vec::new()], Vec::new());
        Stage::Skip { header: self.header, bytes: stream + lent, left: stream - arrived }
    }

    /// The part being filled, and the number of its missing bytes.
    fn under_way(&self) -> (usize, u64) {
        let index = self.parts.len() - 1;
        (index, self.length(index) - self.parts[index].len() as u64)
    }

    /// Makes room for more bytes in the part being filled.
    fn reserve(&mut self, bytes: usize, supply: &mut dyn Supply) -> Result<(), TryReserveError> {
        let (index, missing) = self.under_way();
        let part = &mut self.parts[index];
        if part.capacity() - part.len() < bytes {
            supply.grow(part, bytes, missing)?;
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        let last = self.lengths.len();
        self.parts.len() == last + 1 && self.parts[last].len() as u64 == self.length(last)
    }

    fn into_frame(mut self) -> Frame {
        let mut buffers: Vec<_> = self.parts.split_off(1).into_iter().map(Buffer::Owned).collect();
        for (index, buffer) in self.lent {
            buffers[index] = buffer;
        }
        let data = self.parts.pop().expect("the data is the first part");
        self.header.frame(data, buffers)
    }
}

impl Header {
    fn frame(self, data: Vec<u8>, buffers: Vec<Buffer>) -> Frame {
        let Self { kind, flags, seq, call, .. } = self;
        Frame { kind, flags, seq, call, payload: Payload { data, buffers }, missing: None }
    }

    /// The frame without its payload, for which the memory is lacking.
    fn missing(self, bytes: u64) -> Frame {
        let missing = Some(Missing { bytes, buffers: self.buffers });
        Frame { missing, ..self.frame(Vec::new(), Vec::new()) }
    }
}

/// A copy of the data of a frame.
fn copied(data: &[u8]) -> Result<Vec<u8>, TryReserveError> {
    // If even this allocation fails, there is no memory to report it either.
    if data.len() <= LITTLE_BYTES {
        return Ok(data.to_vec());
    }
    let mut copy = Vec::new();
    copy.try_reserve_exact(data.len())?;
    copy.extend_from_slice(data);
    Ok(copy)
}

/// Makes room in a new part for the beginning of an announced length.
fn reserve(part: &mut Vec<u8>, length: u64) -> Result<(), TryReserveError> {
    part.try_reserve_exact(length.min(RESERVE_BYTES_MAX as u64) as usize)
}

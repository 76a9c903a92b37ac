//! From a stream to frames.

use std::collections::VecDeque;
use std::sync::Arc;

use bgpy_proto::frame::{Frame, Header};
use bgpy_proto::framing::Framing;
use bgpy_proto::limits::MESSAGE_BYTES_MAX;
use bgpy_proto::{Buffer, Memory, ProtocolError, Supply};

/// What a stream was cut into.
#[derive(Debug, PartialEq)]
struct Cut {
    frames: VecDeque<Frame>,
    outcome: Result<(), ProtocolError>,
    at_boundary: bool,
}

/// Cuts the input into frames: at once, and in reads whose size is its first byte. Both must agree,
/// and the frames must encode to the bytes that they came from.
pub fn frame(input: &[u8]) -> bool {
    let Some((size, stream)) = input.split_first() else { return false };
    let whole = cut(MESSAGE_BYTES_MAX, [stream]);
    assert_eq!(whole, cut(MESSAGE_BYTES_MAX, stream.chunks(usize::from(*size).max(1))));

    // The same of a connection whose buffers may lie in segments.
    let lent = cut_with(true, MESSAGE_BYTES_MAX, [stream]);
    let encoded: Vec<u8> = lent.frames.iter().flat_map(encode).collect();
    assert!(stream.starts_with(&encoded), "a frame with a segment was changed");
    let encoded: Vec<u8> = whole.frames.iter().flat_map(encode).collect();
    assert!(stream.starts_with(&encoded), "a frame was changed");
    if whole.outcome.is_ok() {
        assert_eq!(whole.at_boundary, encoded.len() == stream.len());
    }
    for Frame { payload, .. } in &whole.frames {
        let buffers = payload.buffers.iter().filter_map(|buffer| match buffer {
            Buffer::Owned(bytes) => Some(bytes),
            Buffer::Shared(_) | Buffer::Lent { .. } => None,
        });
        for part in buffers.chain([&payload.data]) {
            assert!(part.capacity() <= 2 * part.len() + 8, "memory is kept in vain");
        }
    }
    // A smaller limit lets the same frames pass, up to the first that exceeds it.
    let limit = 64;
    let limited = cut(limit, [stream]);
    assert!(limited.frames.iter().eq(whole.frames.iter().take(limited.frames.len())));
    assert!(limited.frames.iter().all(|frame| frame.payload.bytes() <= limit));
    !whole.frames.is_empty()
}

/// The bytes of a frame, written down a second time.
pub(crate) fn encode(frame: &Frame) -> Vec<u8> {
    let Frame { kind, flags, seq, call, ref payload, .. } = *frame;
    let (buffers, data_bytes) = (payload.buffers.len() as u16, payload.data.len() as u64);
    let mut bytes = Header { kind, flags, buffers, seq, call, data_bytes }.encode().to_vec();
    let entries = payload.buffers.iter().map(|buffer| match buffer {
        Buffer::Lent { segment, .. } => 1 << 63 | u64::from(*segment) << 48 | buffer.len() as u64,
        _ => buffer.len() as u64,
    });
    bytes.extend(entries.flat_map(u64::to_le_bytes));
    bytes.extend_from_slice(&payload.data);
    for buffer in &payload.buffers {
        if !matches!(buffer, Buffer::Lent { .. }) {
            bytes.extend_from_slice(buffer);
        }
    }
    bytes
}

/// Segments that hold whatever a peer says.
#[derive(Debug)]
struct Segments;

/// Bytes that the largest of them has room for.
const SEGMENT_BYTES: usize = 1 << 10;

#[derive(Debug)]
struct Filled(Vec<u8>);

impl Memory for Filled {
    fn as_slice(&self) -> &[u8] {
        &self.0
    }

    fn as_mut_ptr(&self) -> *mut u8 {
        unreachable!("nobody writes")
    }
}

impl Supply for Segments {
    fn take(&mut self, _segment: u16, bytes: usize) -> Option<Arc<dyn Memory>> {
        (bytes <= SEGMENT_BYTES).then(|| Arc::new(Filled(vec![0; bytes])) as _)
    }
}

fn cut<'a>(limit: u64, reads: impl IntoIterator<Item = &'a [u8]>) -> Cut {
    cut_with(false, limit, reads)
}

fn cut_with<'a>(segments: bool, limit: u64, reads: impl IntoIterator<Item = &'a [u8]>) -> Cut {
    let (mut framing, mut frames) = (Framing::new(limit), VecDeque::new());
    if segments {
        framing.supply_with(Box::new(Segments));
    }
    let outcome = reads.into_iter().try_for_each(|read| framing.feed(read, &mut frames));
    if outcome.is_err() {
        // Whoever feeds on gets the same answer, and no frame.
        let before = frames.len();
        assert_eq!(framing.feed(&[0; 48], &mut frames), outcome);
        assert_eq!(frames.len(), before);
    }
    Cut { frames, outcome, at_boundary: framing.at_boundary() }
}

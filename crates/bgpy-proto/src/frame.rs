//! Frames: the unit in which calls and answers travel. PROTOCOL.md, "Frames", defines the layout.

use std::sync::Arc;

use crate::buffer::{Buffer, Memory};
use crate::error::ProtocolError;

/// Bytes of a frame header.
pub const HEADER_BYTES: usize = 24;

/// The kind of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Client: the three tasks of a server.
    Init = 0x01,
    /// Client: run `exec_task`.
    Exec = 0x02,
    /// Client: run `exit_task`, then end.
    Exit = 0x03,
    /// Client: drop the call unless it is running, and send no more answers to it.
    Cancel = 0x04,
    /// Client: answer with a pong.
    Ping = 0x05,
    /// Client: answer with the server's status.
    Status = 0x06,
    /// Client: offer a segment that the server may fill.
    ClientOffer = 0x07,
    /// Client: answer with a piece of the server's log.
    Log = 0x08,
    /// Client: answer a question about what the server's interpreter does, or talk to a session in it.
    Debug = 0x09,
    /// Client: how much of a stream it has taken.
    Credit = 0x0a,
    /// Client: what a callback has returned or raised.
    CallbackReply = 0x0b,
    /// Client: cancel a call of any client.
    Abort = 0x0c,
    /// Client: answer with the methods that the server's object has.
    Methods = 0x0d,
    /// Client: answer with the jobs that the server knows.
    Jobs = 0x0e,
    /// Server: the call is accepted.
    Ack = 0x41,
    /// Server: one response of a task.
    Response = 0x42,
    /// Server: the call failed; it is the call's last frame.
    Error = 0x43,
    /// Server: the call ended; it is the call's last frame.
    End = 0x44,
    /// Server: answer to a ping.
    Pong = 0x45,
    /// Server: answer to a status request.
    StatusReply = 0x46,
    /// Server: offer a segment that the client may fill.
    ServerOffer = 0x47,
    /// Server: answer to a log request.
    LogReply = 0x48,
    /// Server: later requests than this one have not run and will not.
    Goodbye = 0x49,
    /// Server: answer to a debug request.
    DebugReply = 0x4a,
    /// Server: how far a call has come.
    Progress = 0x4b,
    /// Server: a task calls a function of its caller's.
    Callback = 0x4c,
    /// Server: answer to an abort.
    AbortReply = 0x4d,
    /// Server: answer to a request for the methods.
    MethodsReply = 0x4e,
    /// Server: answer to a request for the jobs.
    JobsReply = 0x4f,
}

impl Kind {
    fn from_wire(byte: u8) -> Option<Self> {
        Some(match byte {
            0x01 => Self::Init,
            0x02 => Self::Exec,
            0x03 => Self::Exit,
            0x04 => Self::Cancel,
            0x05 => Self::Ping,
            0x06 => Self::Status,
            0x07 => Self::ClientOffer,
            0x08 => Self::Log,
            0x09 => Self::Debug,
            0x0a => Self::Credit,
            0x0b => Self::CallbackReply,
            0x0c => Self::Abort,
            0x0d => Self::Methods,
            0x0e => Self::Jobs,
            0x41 => Self::Ack,
            0x42 => Self::Response,
            0x43 => Self::Error,
            0x44 => Self::End,
            0x45 => Self::Pong,
            0x46 => Self::StatusReply,
            0x47 => Self::ServerOffer,
            0x48 => Self::LogReply,
            0x49 => Self::Goodbye,
            0x4a => Self::DebugReply,
            0x4b => Self::Progress,
            0x4c => Self::Callback,
            0x4d => Self::AbortReply,
            0x4e => Self::MethodsReply,
            0x4f => Self::JobsReply,
            _ => return None,
        })
    }

    /// The flags that a frame of this kind may carry.
    fn flags(self) -> u8 {
        match self {
            Self::Init | Self::Exec | Self::Exit => flag::WANT | flag::HEAD,
            Self::Cancel => flag::ANSWER,
            Self::CallbackReply => flag::FAILED,
            Self::Response => flag::LAST | flag::USER_ERROR,
            Self::End => flag::ALREADY,
            _ => 0,
        }
    }
}

/// Bits of a frame's flags byte.
pub mod flag {
    /// Calls: the two bits that hold [`Want`](super::Want).
    pub const WANT: u8 = 0b0000_0011;
    /// Calls: the data begins with a [head](crate::CallHead).
    pub const HEAD: u8 = 0b0000_1000;
    /// Cancels: interrupt the call even if it runs, and tell how it ends.
    pub const ANSWER: u8 = 0b0000_0001;
    /// Replies to callbacks: it raised, and the data is a failure.
    pub const FAILED: u8 = 0b0000_0001;
    /// Responses: no further frame follows for this call.
    pub const LAST: u8 = 0b0000_0001;
    /// Responses: the task marked it as an error (`respond(..., error=True)`).
    pub const USER_ERROR: u8 = 0b0000_0010;
    /// Ends of INIT: the server was already initialized, and the tasks were not used.
    pub const ALREADY: u8 = 0b0000_0001;
}

/// Which answers the caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Want {
    /// Only the ack.
    Ack = 0,
    /// The first response, or why there is none.
    First = 1,
    /// Every response, and the end.
    All = 2,
}

impl Want {
    /// Decodes it from the flags of a call.
    pub(crate) fn from_flags(flags: u8) -> Result<Self, ProtocolError> {
        match flags & flag::WANT {
            0 => Ok(Self::Ack),
            1 => Ok(Self::First),
            2 => Ok(Self::All),
            _ => Err(ProtocolError::Malformed("a call wants something unknown")),
        }
    }
}

/// An entry of the buffer table: the length of a buffer, and its segment unless it follows the
/// data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BufferEntry {
    pub(crate) bytes: u64,
    pub(crate) segment: Option<u16>,
}

/// Marks an entry whose buffer is in a segment.
const LENT: u64 = 1 << 63;

/// Low bits of such an entry that hold the length; the segment's number is above them.
const LENT_BITS: u32 = 48;

impl BufferEntry {
    pub(crate) fn encode(self) -> [u8; 8] {
        let lent = self.segment.map_or(0, |segment| LENT | u64::from(segment) << LENT_BITS);
        (lent | self.bytes).to_le_bytes()
    }

    pub(crate) fn decode(bytes: [u8; 8]) -> Self {
        let entry = u64::from_le_bytes(bytes);
        if entry & LENT == 0 {
            return Self { bytes: entry, segment: None };
        }
        let segment = ((entry & !LENT) >> LENT_BITS) as u16;
        Self { bytes: entry & ((1 << LENT_BITS) - 1), segment: Some(segment) }
    }
}

/// An encoded message and its out-of-band buffers.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The message in the payload codec; empty for kinds without one.
    pub data: Vec<u8>,
    /// Out-of-band buffers, referred to from `data` by index.
    pub buffers: Vec<Buffer>,
}

impl Payload {
    /// Checks that the peer accepts a message of this length.
    pub(crate) fn check(&self, limit: u64) -> Result<(), ProtocolError> {
        let bytes = self.bytes();
        if bytes > limit { Err(ProtocolError::Unwelcome { bytes, limit }) } else { Ok(()) }
    }

    /// Lets its clones share the buffers.
    pub fn share(&mut self) {
        self.buffers.iter_mut().for_each(Buffer::share);
    }

    /// The memory that the payload shares with other owners. Hold it while the payload is sent, to
    /// decide where it is dropped.
    pub fn shared(&self) -> Vec<Arc<dyn Memory>> {
        let shared = |buffer: &Buffer| match buffer {
            Buffer::Owned(_) | Buffer::Lent { .. } => None,
            Buffer::Shared(memory) => Some(memory.clone()),
        };
        self.buffers.iter().filter_map(shared).collect()
    }

    /// Size of the data and the buffers together, in bytes.
    pub fn bytes(&self) -> u64 {
        self.data.len() as u64 + self.buffers.iter().map(|buffer| buffer.len() as u64).sum::<u64>()
    }
}

impl From<Vec<u8>> for Payload {
    fn from(data: Vec<u8>) -> Self {
        Self { data, buffers: Vec::new() }
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its kind.
    pub kind: Kind,
    /// Bits of [`flag`] that `kind` allows.
    pub flags: u8,
    /// Position among the responses of its call, from 0.
    pub seq: u32,
    /// The call it belongs to, as numbered by the client.
    pub call: u64,
    /// Its contents.
    pub payload: Payload,
    /// A received payload for which this side lacked the memory; `payload` is empty then. Not used when
    /// sending.
    pub missing: Option<Missing>,
}

/// What is known of a payload for which this side lacked the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// Size of its data and its buffers, in bytes.
    pub bytes: u64,
    /// Number of its buffers.
    pub buffers: u16,
}

impl Frame {
    /// A frame without flags, sequence number and payload.
    pub fn bare(kind: Kind, call: u64) -> Self {
        Self { kind, flags: 0, seq: 0, call, payload: Payload::default(), missing: None }
    }
}

/// The decoded first 24 bytes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The kind of the frame.
    pub kind: Kind,
    /// Its flags.
    pub flags: u8,
    /// Number of out-of-band buffers.
    pub buffers: u16,
    /// Position among the responses of the call.
    pub seq: u32,
    /// The call.
    pub call: u64,
    /// Length of the payload without the buffers, in bytes.
    pub data_bytes: u64,
}

impl Header {
    /// The header's bytes.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = self.kind as u8;
        bytes[1] = self.flags;
        bytes[2..4].copy_from_slice(&self.buffers.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.seq.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.call.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.data_bytes.to_le_bytes());
        bytes
    }

    /// Decodes a header.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] for an unknown kind, or a flag that the kind does not have.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, ProtocolError> {
        let kind = Kind::from_wire(bytes[0])
            .ok_or(ProtocolError::Malformed("a frame of an unknown kind"))?;
        if bytes[1] & !kind.flags() != 0 {
            return Err(ProtocolError::Malformed("a frame with an unknown flag"));
        }
        let [_, _, b2, b3, s0, s1, s2, s3, rest @ ..] = *bytes;
        let [c0, c1, c2, c3, c4, c5, c6, c7, l0, l1, l2, l3, l4, l5, l6, l7] = rest;
        Ok(Self {
            kind,
            flags: bytes[1],
            buffers: u16::from_le_bytes([b2, b3]),
            seq: u32::from_le_bytes([s0, s1, s2, s3]),
            call: u64::from_le_bytes([c0, c1, c2, c3, c4, c5, c6, c7]),
            data_bytes: u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]),
        })
    }
}

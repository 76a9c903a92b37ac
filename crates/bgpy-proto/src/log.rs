//! Pieces of a server's log, which clients can request at any time, even while a task runs.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::{self, bytes};
use crate::limits::{LOG_BYTES_MAX, LOG_CURSOR_BYTES_MAX, LOG_ERROR_BYTES_MAX};

/// Upper bound for the bytes of a [`LogReply`] without its text, so that a reply fits its
/// receiver's limit.
const ROOM_BYTES: usize = 128;

/// A position in a log. Only the server that made it can interpret it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogCursor(Vec<u8>);

/// The piece of the log that a client requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogRequest {
    /// The oldest piece.
    Start,
    /// The piece that starts this many lines before the end.
    LastLines(u64),
    /// The piece that starts at the first record at or after this time, in milliseconds since 1970
    /// UTC.
    Since(i64),
    /// The piece that follows another one.
    After(LogCursor),
}

/// A server's reply to a log request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogReply {
    /// A piece of the log.
    Piece(LogPiece),
    /// The log cannot be read; the text says why.
    Unreadable(String),
}

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPiece {
    /// Text of the log, cut anywhere. It may be empty even if there is more.
    #[serde(with = "bytes")]
    pub text: Vec<u8>,
    /// The position for the next request.
    pub after: LogCursor,
    /// Whether more is available now.
    pub more: bool,
}

impl Serialize for LogCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        bytes::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for LogCursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(bytes::deserialize(deserializer)?)
            .ok_or_else(|| D::Error::custom("a long cursor"))
    }
}

impl LogCursor {
    /// A position as encoded by the server; `None` if it is too long.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() <= LOG_CURSOR_BYTES_MAX).then_some(Self(bytes))
    }

    /// The encoded position.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A request on the wire: at most one key is present.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Asked {
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<LogCursor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since_ms: Option<i64>,
}

/// A reply on the wire: the first variant whose keys are present.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Told {
    Unreadable { error: String },
    Piece(LogPiece),
}

impl LogRequest {
    /// Encodes the request.
    pub fn encode(&self) -> Vec<u8> {
        let nothing = Asked::default();
        let asked = match self {
            Self::Start => nothing,
            Self::LastLines(lines) => Asked { lines: Some(*lines), ..nothing },
            Self::Since(ms) => Asked { since_ms: Some(*ms), ..nothing },
            Self::After(cursor) => Asked { after: Some(cursor.clone()), ..nothing },
        };
        codec::to_vec(&asked).expect("a request is flat and short")
    }

    /// Decodes a request; `None` if the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Some(match codec::from_map(bytes)? {
            Asked { after: Some(cursor), .. } => Self::After(cursor),
            Asked { lines: Some(lines), .. } => Self::LastLines(lines),
            Asked { since_ms: Some(ms), .. } => Self::Since(ms),
            Asked { after: None, lines: None, since_ms: None } => Self::Start,
        })
    }
}

impl LogReply {
    /// The longest text of a reply to a receiver with this limit on messages.
    pub fn text_bytes_max(message_bytes_max: u64) -> usize {
        let room = (ROOM_BYTES + LOG_CURSOR_BYTES_MAX) as u64;
        message_bytes_max.saturating_sub(room).min(LOG_BYTES_MAX as u64) as usize
    }

    /// Encodes the reply.
    pub fn encode(&self) -> Vec<u8> {
        let told = match self {
            Self::Piece(piece) => Told::Piece(piece.clone()),
            Self::Unreadable(why) => {
                let end = why.floor_char_boundary(LOG_ERROR_BYTES_MAX);
                Told::Unreadable { error: why[..end].to_owned() }
            }
        };
        codec::to_vec(&told).expect("a reply is flat and short")
    }

    /// Decodes a reply; `None` if the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match codec::from_map(bytes)? {
            Told::Unreadable { error } => {
                (error.len() <= LOG_ERROR_BYTES_MAX).then_some(Self::Unreadable(error))
            }
            Told::Piece(piece) => (piece.text.len() <= LOG_BYTES_MAX).then_some(Self::Piece(piece)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Value;
    use crate::limits::MESSAGE_BYTES_LEAST;

    fn piece(text: usize) -> LogReply {
        let after = LogCursor::new(vec![0xff; LOG_CURSOR_BYTES_MAX]).expect("it is short enough");
        LogReply::Piece(LogPiece { text: vec![b'x'; text], after, more: true })
    }

    #[test]
    fn requests_survive_the_wire() {
        let cursor = LogCursor::new(vec![7; LOG_CURSOR_BYTES_MAX]).expect("it is short enough");
        for request in [
            LogRequest::Start,
            LogRequest::LastLines(0),
            LogRequest::LastLines(u64::MAX),
            LogRequest::Since(i64::MIN),
            LogRequest::After(cursor),
        ] {
            assert_eq!(LogRequest::decode(&request.encode()), Some(request));
        }
    }

    #[test]
    fn replies_survive_the_wire_and_are_never_too_long() {
        for reply in [piece(0), piece(LOG_BYTES_MAX), LogReply::Unreadable("no".into())] {
            assert_eq!(LogReply::decode(&reply.encode()), Some(reply));
        }
        assert_eq!(LogReply::text_bytes_max(u64::MAX), LOG_BYTES_MAX);
        let text = LogReply::text_bytes_max(MESSAGE_BYTES_LEAST);
        let why = LogReply::Unreadable("ü".repeat(LOG_ERROR_BYTES_MAX)).encode();
        assert!(piece(text).encode().len() as u64 <= MESSAGE_BYTES_LEAST);
        assert!(LogReply::decode(&why).is_some() && why.len() as u64 <= MESSAGE_BYTES_LEAST);
    }

    #[test]
    fn what_is_too_long_or_of_another_kind_is_refused() {
        assert_eq!(LogReply::decode(&piece(LOG_BYTES_MAX + 1).encode()), None);
        let after = |value: Value| Value::from([("after", value)]).encode().expect("it is flat");
        assert_eq!(LogRequest::decode(&after(Value::Bytes(vec![0; 65]))), None);
        assert_eq!(LogRequest::decode(&after("text".into())), None);
        assert_eq!(LogRequest::decode(&after(Value::Nil)), Some(LogRequest::Start));
        for nothing in [&b""[..], b"\xc0", b"\x90", b"\x81\xa5lines\xff"] {
            assert_eq!(LogRequest::decode(nothing), None);
        }
    }
}

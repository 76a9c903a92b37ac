//! Pieces of a server's log, which it gives at any time, also while a task runs.

use crate::codec::Value;
use crate::limits::{LOG_BYTES_MAX, LOG_CURSOR_BYTES_MAX, LOG_ERROR_BYTES_MAX};

/// Bytes of a [`LogReply`] beside its text, at most, so that one fits whatever its receiver takes.
const ROOM_BYTES: usize = 128;

/// A place in a log. Only the server that made it can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogCursor(Vec<u8>);

/// Which piece of the log a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogRequest {
    /// The first that is there.
    Start,
    /// One that begins so many lines before the end.
    LastLines(u64),
    /// One that begins at the first record of this moment, in milliseconds since 1970 UTC, or of a
    /// later one.
    Since(i64),
    /// The one that follows.
    After(LogCursor),
}

/// A server's answer to a log request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogReply {
    /// A piece of the log.
    Piece(LogPiece),
    /// There is no log to read; the text says why.
    Unreadable(String),
}

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPiece {
    /// What was logged, cut anywhere. It may be empty although there is more.
    pub text: Vec<u8>,
    /// What to ask for next.
    pub after: LogCursor,
    /// Whether there is more at once.
    pub more: bool,
}

impl LogCursor {
    /// A place that its server has written down; `None` when that is too long.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() <= LOG_CURSOR_BYTES_MAX).then_some(Self(bytes))
    }

    /// What the server has written down.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl LogRequest {
    /// Encodes the request.
    pub fn encode(&self) -> Vec<u8> {
        let map = match self {
            Self::Start => Value::Map(Vec::new()),
            Self::LastLines(lines) => Value::from([("lines", (*lines).into())]),
            Self::Since(ms) => Value::from([("since_ms", (*ms).into())]),
            Self::After(LogCursor(bytes)) => Value::from([("after", Value::Bytes(bytes.clone()))]),
        };
        map.encode().expect("a request is flat and short")
    }

    /// Decodes a request; `None` when the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let value = Value::decode(bytes).ok().filter(|value| matches!(value, Value::Map(_)))?;
        let key = |key| value.get(key).filter(|value| !matches!(value, Value::Nil));
        Some(match (key("after"), key("lines"), key("since_ms")) {
            (Some(after), ..) => Self::After(LogCursor::new(after.as_bytes()?.to_vec())?),
            (None, Some(lines), _) => Self::LastLines(lines.as_u64()?),
            (None, None, Some(ms)) => Self::Since(ms.as_i64()?),
            (None, None, None) => Self::Start,
        })
    }
}

impl LogReply {
    /// The longest text that a reply may have whose receiver takes messages of so many bytes.
    pub fn text_bytes_max(message_bytes_max: u64) -> usize {
        let room = (ROOM_BYTES + LOG_CURSOR_BYTES_MAX) as u64;
        message_bytes_max.saturating_sub(room).min(LOG_BYTES_MAX as u64) as usize
    }

    /// Encodes the reply.
    pub fn encode(&self) -> Vec<u8> {
        let map = match self {
            Self::Piece(LogPiece { text, after: LogCursor(after), more }) => Value::from([
                ("text", Value::Bytes(text.clone())),
                ("after", Value::Bytes(after.clone())),
                ("more", (*more).into()),
            ]),
            Self::Unreadable(why) => {
                let end = why.floor_char_boundary(LOG_ERROR_BYTES_MAX);
                Value::from([("error", why[..end].into())])
            }
        };
        map.encode().expect("a reply is flat and short")
    }

    /// Decodes a reply; `None` when the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let value = Value::decode(bytes).ok()?;
        if let Some(why) = value.get("error").and_then(Value::as_str) {
            return (why.len() <= LOG_ERROR_BYTES_MAX).then(|| Self::Unreadable(why.to_owned()));
        }
        let bytes = |key| value.get(key).and_then(Value::as_bytes);
        Some(Self::Piece(LogPiece {
            text: bytes("text").filter(|text| text.len() <= LOG_BYTES_MAX)?.to_vec(),
            after: LogCursor::new(bytes("after")?.to_vec())?,
            more: value.get("more")?.as_bool()?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

//! Why a call failed, as reported by the server.

use std::fmt;

use crate::codec::{Value, write};
use crate::limits::FAILURE_TEXT_BYTES_MAX;

/// Largest head of a byte string, in bytes.
const HEAD_BYTES: usize = 5;

/// Texts are not shortened below this length, in bytes.
const TEXT_BYTES_LEAST: usize = 64;

/// The exception that Python raises when memory is short.
const MEMORY_ERROR: &str = "MemoryError";

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// The task raised.
    Task,
    /// The server has no tasks yet, or its `init_task` failed.
    NotInitialized,
    /// The server is stopping and accepts no more calls.
    Stopping,
    /// The message could not be decoded on the server, or the response could not be encoded.
    Serialization,
    /// The server rejects the request.
    Refused,
    /// Too many calls are queued.
    Overloaded,
}

const CODES: [(FailureCode, &str); 6] = [
    (FailureCode::Task, "task"),
    (FailureCode::NotInitialized, "not-initialized"),
    (FailureCode::Stopping, "stopping"),
    (FailureCode::Serialization, "serialization"),
    (FailureCode::Refused, "refused"),
    (FailureCode::Overloaded, "overloaded"),
];

/// A failure, with its exception if there was one.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Its kind.
    pub code: FailureCode,
    /// What happened, in one sentence.
    pub message: String,
    /// Type of the exception, with its module unless built in (`ValueError`,
    /// `numpy.linalg.LinAlgError`).
    pub exception: Option<String>,
    /// The remote traceback as text.
    pub traceback: Option<String>,
    /// The exception itself as a message of the payload codec, if it could be encoded. On the
    /// client it arrives separately, as the [`Delivered`](crate::Delivered) of
    /// [`Event::Failed`](crate::client::Event::Failed).
    pub object: Option<Vec<u8>>,
}

impl FailureCode {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        CODES.iter().find(|(code, _)| *code == self).map_or("task", |(_, name)| name)
    }
}

impl Failure {
    /// A failure without an exception.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), exception: None, traceback: None, object: None }
    }

    /// The server lacks the memory for something.
    pub fn memory(what: impl fmt::Display) -> Self {
        let text = format!("the server has not enough memory for {what}");
        Self { exception: Some(MEMORY_ERROR.into()), ..Self::new(FailureCode::Task, text) }
    }

    /// Encodes the failure. Overlong texts lose their middle, and an exception is left out if it is
    /// too long for the codec or for the available memory.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with(self.object.as_ref(), FAILURE_TEXT_BYTES_MAX)
    }

    /// Encodes the failure for a peer with a limit on messages: without the exception if necessary,
    /// and with shorter texts.
    pub(crate) fn encode_within(&self, bytes_max: u64) -> Vec<u8> {
        let mut encoded = self.encode();
        let mut text_bytes_max = FAILURE_TEXT_BYTES_MAX;
        while encoded.len() as u64 > bytes_max && text_bytes_max > TEXT_BYTES_LEAST {
            encoded = self.encode_with(None, text_bytes_max);
            text_bytes_max /= 4;
        }
        encoded
    }

    fn encode_with(&self, object: Option<&Vec<u8>>, text_bytes_max: usize) -> Vec<u8> {
        let text = |text: &str| Value::Str(shortened(text, text_bytes_max));
        let mut encoded = Value::from([
            ("code", self.code.as_str().into()),
            ("message", text(&self.message)),
            ("exception", self.exception.as_deref().map(text).into()),
            ("traceback", self.traceback.as_deref().map(text).into()),
            ("object", Value::Nil),
        ])
        .encode()
        .expect("a failure is flat and its texts are short");
        if let Some(object) = object
            && encoded.try_reserve_exact(object.len() + HEAD_BYTES).is_ok()
        {
            // Replaces the nil, which is one byte. An exception that is too long is left out.
            encoded.pop();
            if write::bin(&mut encoded, object).is_err() {
                write::nil(&mut encoded);
            }
        }
        encoded
    }

    /// Decodes a failure; `None` if the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut value = Value::decode(bytes).ok()?;
        let object = value.get_mut("object").map(std::mem::take);
        let text = |key| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = value.get("code")?.as_str()?;
        let code = CODES.iter().find(|(_, known)| *known == name)?.0;
        Some(Self {
            code,
            message: text("message")?,
            exception: text("exception"),
            traceback: text("traceback"),
            object: object.and_then(|object| match object {
                Value::Bytes(object) => Some(object),
                _ => None,
            }),
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.exception {
            Some(exception) if self.message.is_empty() => f.write_str(exception),
            Some(exception) => write!(f, "{exception}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Failure {}

/// Keeps the head and the tail of an overlong text: both ends of a traceback matter most.
fn shortened(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let half = bytes_max / 2;
    let head = &text[..text.floor_char_boundary(half)];
    let tail = &text[text.ceil_char_boundary(text.len() - half)..];
    format!("{head}\n[... {} bytes left out ...]\n{tail}", text.len() - head.len() - tail.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MESSAGE_BYTES_LEAST;

    #[test]
    fn survives_the_wire() {
        for (code, _) in CODES {
            let failure = Failure {
                code,
                message: "no".into(),
                exception: Some("ValueError".into()),
                traceback: None,
                object: Some(vec![1, 2]),
            };
            assert_eq!(Failure::decode(&failure.encode()), Some(failure));
        }
    }

    #[test]
    fn a_failure_fits_what_the_peer_takes() {
        let failure = Failure {
            exception: Some("ValueError".into()),
            traceback: Some("line".repeat(FAILURE_TEXT_BYTES_MAX)),
            object: Some(vec![1; 1 << 20]),
            ..Failure::new(FailureCode::Task, "word ".repeat(FAILURE_TEXT_BYTES_MAX))
        };
        for bytes_max in [MESSAGE_BYTES_LEAST, 1 << 16, 1 << 19] {
            let encoded = failure.encode_within(bytes_max);
            assert!(encoded.len() as u64 <= bytes_max, "{bytes_max}");
            let sent = Failure::decode(&encoded).unwrap();
            assert!(sent.message.starts_with("word") && sent.object.is_none());
        }
        assert_eq!(
            Failure::decode(&failure.encode_within(u64::MAX)).unwrap().object,
            failure.object
        );
        // A peer that accepts nothing gets the rest.
        assert!(Failure::decode(&failure.encode_within(0)).is_some());
    }

    #[test]
    fn long_texts_keep_both_ends() {
        let long = format!("first{}last", "\u{e9}".repeat(FAILURE_TEXT_BYTES_MAX));
        let sent =
            Failure::decode(&Failure::new(FailureCode::Task, long).encode()).unwrap().message;
        assert!(sent.starts_with("first") && sent.ends_with("last"));
        assert!(sent.len() < FAILURE_TEXT_BYTES_MAX + 100);
    }
}

//! Why a call failed, as reported by the server.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cause::{self, Cause, Exceptions};
use crate::codec::{self, CodecError, Value, bytes, write};
use crate::delivered::Delivered;
use crate::error::ProtocolError;
use crate::limits::{CAUSES_MAX, FAILURE_TEXT_BYTES_MAX};

/// Largest head of a byte string, in bytes.
const HEAD_BYTES: usize = 5;

/// Texts are not shortened below this length, in bytes.
const TEXT_BYTES_LEAST: usize = 64;

/// The exception that Python raises when memory is short.
const MEMORY_ERROR: &str = "MemoryError";

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// It was cancelled.
    Cancelled,
    /// The time of its caller was over before it ended.
    Expired,
    /// The server waits for the caller, so that neither could go on.
    Deadlock,
    /// The server knows no such job (any more).
    NoJob,
    /// The job is lost: the server has failed since it was submitted.
    LostJob,
    /// A job of that name calls something else, or with other arguments.
    JobTaken,
}

/// A failure, with its exception if there was one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
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
    /// The exceptions that led to this one, the nearest first, at most
    /// [`CAUSES_MAX`].
    #[serde(default)]
    pub causes: Box<[Cause]>,
    /// The exception itself as a message of the payload codec, if it could be encoded. On the
    /// client it arrives separately, in the [`Exceptions`] of
    /// [`Event::Failed`](crate::client::Event::Failed).
    #[serde(default, deserialize_with = "bytes::optional")]
    pub object: Option<Vec<u8>>,
}

/// What is written of a failure before its exception.
#[derive(Serialize)]
struct Shortened<'a> {
    code: FailureCode,
    message: Cow<'a, str>,
    exception: Option<Cow<'a, str>>,
    traceback: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<cause::Shortened<'a>>,
    object: (),
}

impl FailureCode {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::NotInitialized => "not-initialized",
            Self::Stopping => "stopping",
            Self::Serialization => "serialization",
            Self::Refused => "refused",
            Self::Overloaded => "overloaded",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Deadlock => "deadlock",
            Self::NoJob => "no-job",
            Self::LostJob => "lost-job",
            Self::JobTaken => "job-taken",
        }
    }
}

impl Failure {
    /// A failure without an exception.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            exception: None,
            traceback: None,
            causes: Box::default(),
            object: None,
        }
    }

    /// The server is about to end; the call has not run.
    pub fn stopping() -> Self {
        Self::new(FailureCode::Stopping, "the server is about to end and takes no more calls")
    }

    /// A side lacks the memory for something.
    pub fn memory(side: &str, what: impl fmt::Display) -> Self {
        let text = format!("{side} has not enough memory for {what}");
        Self { exception: Some(MEMORY_ERROR.into()), ..Self::new(FailureCode::Task, text) }
    }

    /// Nobody is there who could run a callback.
    pub(crate) fn unheard() -> Self {
        Self::new(FailureCode::Refused, "the caller does not wait for the call any more")
    }

    /// The failure for a client that knows the codes of bgpy 1.0 only.
    pub(crate) fn of_1_0(self) -> Self {
        match self.code {
            FailureCode::Cancelled | FailureCode::Expired => {
                Self { code: FailureCode::Task, ..self }
            }
            FailureCode::Deadlock => Self { code: FailureCode::Refused, ..self },
            _ => self,
        }
    }

    /// Encodes the failure. Overlong texts lose their middle, and an exception is left out if it is
    /// too long for the codec or for the available memory.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with(&self.causes, self.object.as_ref(), FAILURE_TEXT_BYTES_MAX)
    }

    /// Encodes the failure for a peer with a limit on messages: if necessary without the causes,
    /// then without the exception, and with shorter texts.
    pub(crate) fn encode_within(&self, bytes_max: u64) -> Vec<u8> {
        let mut encoded = self.encode();
        let mut text_bytes_max = FAILURE_TEXT_BYTES_MAX;
        if encoded.len() as u64 > bytes_max && !self.causes.is_empty() {
            encoded = self.encode_with(&[], self.object.as_ref(), text_bytes_max);
        }
        while encoded.len() as u64 > bytes_max && text_bytes_max > TEXT_BYTES_LEAST {
            encoded = self.encode_with(&[], None, text_bytes_max);
            text_bytes_max /= 4;
        }
        encoded
    }

    /// About how much memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let texts = [&self.exception, &self.traceback].into_iter().flatten().map(String::len);
        let causes = self.causes.iter().map(|cause| {
            let object = cause.object.as_ref().map_or(0, Vec::len);
            cause.exception.len() + cause.message.len() + object
        });
        let object = self.object.as_ref().map_or(0, Vec::len);
        self.message.len() + texts.chain(causes).sum::<usize>() + object
    }

    /// Keeps the exceptions that a receiver accepts, and drops the others.
    #[must_use]
    pub fn with_objects(mut self, accepts: impl Fn(&[u8]) -> bool) -> Self {
        let objects = self.causes.iter_mut().map(|cause| &mut cause.object);
        for object in objects.chain([&mut self.object]) {
            object.take_if(|object| !accepts(object));
        }
        self
    }

    fn encode_with(
        &self,
        causes: &[Cause],
        object: Option<&Vec<u8>>,
        text_bytes_max: usize,
    ) -> Vec<u8> {
        let text = |text| shortened(text, text_bytes_max);
        let mut encoded = codec::to_vec(&Shortened {
            code: self.code,
            message: text(&self.message),
            exception: self.exception.as_deref().map(text),
            traceback: self.traceback.as_deref().map(text),
            causes: causes.iter().take(CAUSES_MAX).map(Cause::shortened).collect(),
            object: (),
        })
        .expect("a failure is not deep and its texts are short");
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

    /// Decodes a failure that a peer sent, and takes its exceptions out of it. Without memory for it, that is
    /// the error.
    pub(crate) fn received(data: &[u8]) -> Result<(Self, Exceptions), ProtocolError> {
        let mut failure: Self = match Value::decode(data) {
            Err(CodecError::Memory) => {
                return Err(ProtocolError::Memory { bytes: data.len() as u64 });
            }
            Ok(map @ Value::Map(_)) => codec::from_value(map).ok(),
            _ => None,
        }
        .ok_or(ProtocolError::Malformed("a failure that says nothing"))?;
        let delivered = |object: Vec<u8>| Delivered::new(object.into());
        let raised = failure.object.take().map(delivered);
        let causes = failure.causes.iter_mut().map(|cause| cause.object.take().map(delivered));
        let exceptions = Exceptions { raised, causes: causes.collect() };
        Ok((failure, exceptions))
    }

    /// Decodes a failure; `None` if the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::from_map(bytes)
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
pub(crate) fn shortened(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return text.into();
    }
    let half = bytes_max / 2;
    let head = &text[..text.floor_char_boundary(half)];
    let tail = &text[text.ceil_char_boundary(text.len() - half)..];
    format!("{head}\n[... {} bytes left out ...]\n{tail}", text.len() - head.len() - tail.len())
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{CAUSE_BYTES_MAX, CAUSE_TEXT_BYTES_MAX, MESSAGE_BYTES_LEAST};

    #[test]
    fn survives_the_wire() {
        for name in
            ["task", "not-initialized", "stopping", "serialization", "refused", "overloaded"]
                .into_iter()
                .chain(["cancelled", "expired", "deadlock"])
        {
            let code: FailureCode = codec::from_value(name.into()).unwrap();
            assert_eq!(code.as_str(), name);
            let failure = Failure {
                code,
                message: "no".into(),
                exception: Some("ValueError".into()),
                traceback: None,
                causes: [cause(Some(vec![3])), cause(None)].into(),
                object: Some(vec![1, 2]),
            };
            assert_eq!(Failure::decode(&failure.encode()), Some(failure));
        }
    }

    fn cause(object: Option<Vec<u8>>) -> Cause {
        let named = object.is_some();
        Cause { named, exception: "KeyError".into(), message: "'a'".into(), object }
    }

    #[test]
    fn what_is_too_much_of_the_causes_is_left_out() {
        let long = cause(Some(vec![1; CAUSE_BYTES_MAX + 1]));
        let wordy = Cause { message: "word ".repeat(CAUSE_TEXT_BYTES_MAX), ..cause(None) };
        let mut failure = Failure::new(FailureCode::Task, "no");
        failure.causes = [vec![long, wordy], vec![cause(None); CAUSES_MAX]].concat().into();
        let (sent, exceptions) = Failure::received(&failure.encode()).unwrap();
        assert_eq!((sent.causes.len(), exceptions.causes.len()), (CAUSES_MAX, CAUSES_MAX));
        assert!(exceptions.causes.iter().all(Option::is_none));
        assert!(sent.causes[1].message.len() < CAUSE_TEXT_BYTES_MAX + 100);
    }

    #[test]
    fn the_causes_are_the_first_to_go() {
        let failure = Failure {
            causes: vec![cause(Some(vec![1; 1 << 16])); 4].into(),
            object: Some(vec![2; 1 << 10]),
            ..Failure::new(FailureCode::Task, "no")
        };
        let (sent, exceptions) =
            Failure::received(&failure.encode_within(MESSAGE_BYTES_LEAST)).unwrap();
        assert!(sent.causes.is_empty());
        assert_eq!(exceptions.raised.unwrap().data(), [2; 1 << 10]);
    }

    #[test]
    fn a_receiver_gets_the_exceptions_that_it_accepts() {
        let failure = Failure {
            causes: [cause(Some(vec![1])), cause(Some(vec![2]))].into(),
            object: Some(vec![1]),
            ..Failure::new(FailureCode::Task, "no")
        };
        let kept = failure.with_objects(|object| object == [2]);
        let objects: Vec<_> = kept.causes.iter().map(|cause| cause.object.clone()).collect();
        assert_eq!((objects, kept.object), (vec![None, Some(vec![2])], None));
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

//! The exceptions that led to another one.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::bytes;
use crate::delivered::Delivered;
use crate::failure::shortened;
use crate::limits::{CAUSE_BYTES_MAX, CAUSE_TEXT_BYTES_MAX};

/// An exception that led to another one: its cause, or its context.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Cause {
    /// Whether it was named as the cause, as `raise ... from ...` does; if not, it was being handled.
    pub named: bool,
    /// Type of the exception, with its module unless built in.
    pub exception: String,
    /// Its text.
    pub message: String,
    /// The exception itself, without what led to it, as a message of the payload codec, if it could
    /// be encoded. On the client it arrives separately, in [`Exceptions`].
    #[serde(default, deserialize_with = "bytes::optional")]
    pub object: Option<Vec<u8>>,
}

/// The exceptions of a failure that arrived: each is a message, if the peer could send it.
#[derive(Debug, Default)]
pub struct Exceptions {
    /// The exception that was raised.
    pub raised: Option<Delivered>,
    /// Those that led to it, as [`Failure::causes`](crate::Failure::causes) lists them.
    pub causes: Vec<Option<Delivered>>,
}

/// What is written of a cause: an exception that is too long is left out.
#[derive(Serialize)]
pub(crate) struct Shortened<'a> {
    named: bool,
    exception: Cow<'a, str>,
    message: Cow<'a, str>,
    object: Option<Bytes<'a>>,
}

#[derive(Serialize)]
struct Bytes<'a>(#[serde(serialize_with = "bytes::serialize")] &'a [u8]);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.as_str() {
            "" => f.write_str(&self.exception),
            message => write!(f, "{}: {message}", self.exception),
        }
    }
}

impl Cause {
    pub(crate) fn shortened(&self) -> Shortened<'_> {
        let text = |text| shortened(text, CAUSE_TEXT_BYTES_MAX);
        let object = self.object.as_deref().filter(|object| object.len() <= CAUSE_BYTES_MAX);
        Shortened {
            named: self.named,
            exception: text(&self.exception),
            message: text(&self.message),
            object: object.map(Bytes),
        }
    }
}

//! What the two sides announce about themselves in the handshake. Unknown keys are ignored, so that
//! later versions can add some.

use std::fmt;

use crate::codec::Value;
use crate::limits::MESSAGE_BYTES_MAX;
use crate::token::fill_random;

/// A random identity of 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Id(pub [u8; 16]);

/// The client's announcements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// The client; the same on all its connections.
    pub client: Id,
    /// Version of bgpy.
    pub bgpy: String,
    /// Version of Python, if the client runs Python.
    pub python: Option<String>,
    /// Process id on the client's machine.
    pub pid: u64,
    /// Longest message that the client accepts, in bytes.
    pub message_bytes_max: u64,
    /// Whether the client can map segments.
    pub segments: bool,
    /// Whether the client accepts pickles.
    pub allow_pickle: bool,
}

/// The server's announcements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHello {
    /// The server's instance id.
    pub instance: Id,
    /// How often this instance has lost its state by a failure and restart.
    pub generation: u64,
    /// Version of bgpy.
    pub bgpy: String,
    /// Version of Python, if the server runs Python.
    pub python: Option<String>,
    /// Process id on the server's machine.
    pub pid: u64,
    /// Longest message that the server accepts, in bytes.
    pub message_bytes_max: u64,
    /// Whether the server can map segments.
    pub segments: bool,
    /// Whether the server accepts pickles.
    pub allow_pickle: bool,
    /// Why the server rejects calls on this connection, if it does.
    pub overloaded: Option<String>,
}

impl Default for ClientHello {
    fn default() -> Self {
        Self {
            client: Id::default(),
            bgpy: String::new(),
            python: None,
            pid: 0,
            message_bytes_max: MESSAGE_BYTES_MAX,
            segments: false,
            allow_pickle: true,
        }
    }
}

impl Default for ServerHello {
    fn default() -> Self {
        Self {
            instance: Id::default(),
            generation: 0,
            bgpy: String::new(),
            python: None,
            pid: 0,
            message_bytes_max: MESSAGE_BYTES_MAX,
            segments: false,
            allow_pickle: true,
            overloaded: None,
        }
    }
}

impl Id {
    /// A new random identity.
    pub fn random() -> Self {
        let mut id = Self::default();
        fill_random(&mut id.0);
        id
    }

    fn from_value(value: Option<&Value>) -> Option<Self> {
        let Some(Value::Bytes(bytes)) = value else { return None };
        Some(Self(bytes.as_slice().try_into().ok()?))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ClientHello {
    pub(crate) fn encode(&self) -> Vec<u8> {
        encode([
            ("client", Value::Bytes(self.client.0.to_vec())),
            ("bgpy", self.bgpy.as_str().into()),
            ("python", self.python.as_deref().into()),
            ("pid", self.pid.into()),
            ("message_bytes_max", self.message_bytes_max.into()),
            ("segments", self.segments.into()),
            ("allow_pickle", self.allow_pickle.into()),
        ])
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let value = Value::decode(bytes).ok()?;
        Some(Self {
            client: Id::from_value(value.get("client"))?,
            bgpy: text(&value, "bgpy")?,
            python: text(&value, "python"),
            pid: value.get("pid")?.as_u64()?,
            message_bytes_max: value.get("message_bytes_max")?.as_u64()?,
            segments: value.get("segments") == Some(&Value::Bool(true)),
            allow_pickle: allow_pickle(&value)?,
        })
    }
}

impl ServerHello {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut pairs = vec![
            ("instance", Value::Bytes(self.instance.0.to_vec())),
            ("generation", self.generation.into()),
            ("bgpy", self.bgpy.as_str().into()),
            ("python", self.python.as_deref().into()),
            ("pid", self.pid.into()),
            ("message_bytes_max", self.message_bytes_max.into()),
            ("segments", self.segments.into()),
            ("allow_pickle", self.allow_pickle.into()),
        ];
        pairs.extend(self.overloaded.as_deref().map(|why| ("overloaded", why.into())));
        encode(pairs)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let value = Value::decode(bytes).ok()?;
        Some(Self {
            instance: Id::from_value(value.get("instance"))?,
            generation: value.get("generation")?.as_u64()?,
            bgpy: text(&value, "bgpy")?,
            python: text(&value, "python"),
            pid: value.get("pid")?.as_u64()?,
            message_bytes_max: value.get("message_bytes_max")?.as_u64()?,
            segments: value.get("segments") == Some(&Value::Bool(true)),
            allow_pickle: allow_pickle(&value)?,
            overloaded: text(&value, "overloaded"),
        })
    }
}

fn encode<'a>(pairs: impl IntoIterator<Item = (&'a str, Value)>) -> Vec<u8> {
    let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value));
    Value::Map(pairs.collect()).encode().expect("a hello is flat and short")
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

/// Peers that do not send this key accept pickles.
fn allow_pickle(value: &Value) -> Option<bool> {
    value.get("allow_pickle").map_or(Some(true), Value::as_bool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_that_it_takes_no_calls_only_if_it_takes_none() {
        let hello = ServerHello { instance: Id([9; 16]), ..ServerHello::default() };
        assert_eq!(ServerHello::decode(&hello.encode()), Some(hello.clone()));
        let overloaded = ServerHello { overloaded: Some("no room".to_owned()), ..hello.clone() };
        assert_eq!(ServerHello::decode(&overloaded.encode()), Some(overloaded.clone()));
        assert!(!hello.encode().windows(10).any(|bytes| bytes == b"overloaded"));
    }
}

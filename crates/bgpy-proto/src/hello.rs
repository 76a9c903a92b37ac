//! What the two sides announce about themselves in the handshake. Unknown keys are ignored, so that
//! later versions can add some.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::{self, bytes};
use crate::limits::MESSAGE_BYTES_MAX;
use crate::token::fill_random;

/// A random identity of 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Id(pub [u8; 16]);

/// The client's announcements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientHello {
    /// The client; the same on all its connections.
    #[serde(with = "bytes")]
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
    #[serde(default)]
    pub segments: bool,
    /// Whether the client accepts pickles.
    #[serde(default = "accepted")]
    pub allow_pickle: bool,
    /// Whether the client understands a goodbye.
    #[serde(default)]
    pub goodbye: bool,
    /// Whether the client understands heads, streams, progress, callbacks and answers to cancels.
    #[serde(default)]
    pub calls: bool,
}

/// The server's announcements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerHello {
    /// The server's instance id.
    #[serde(with = "bytes")]
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
    #[serde(default)]
    pub segments: bool,
    /// Whether the server accepts pickles.
    #[serde(default = "accepted")]
    pub allow_pickle: bool,
    /// Whether the server understands debug requests.
    #[serde(default)]
    pub debug: bool,
    /// Whether the server understands heads, credits, callbacks, aborts and cancels with an answer.
    #[serde(default)]
    pub calls: bool,
    /// Whether the server understands methods: in heads, and the request for them.
    #[serde(default)]
    pub services: bool,
    /// Whether the server understands jobs: in heads and aborts, and the request for them.
    #[serde(default)]
    pub jobs: bool,
    /// Why the server rejects calls on this connection, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
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
            goodbye: true,
            calls: true,
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
            debug: true,
            calls: true,
            services: true,
            jobs: true,
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
}

impl AsRef<[u8]> for Id {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<Vec<u8>> for Id {
    type Error = Vec<u8>;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Vec<u8>> {
        bytes.try_into().map(Self)
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
        codec::to_vec(self).expect("a hello is flat and short")
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        codec::from_map(bytes)
    }
}

impl ServerHello {
    pub(crate) fn encode(&self) -> Vec<u8> {
        codec::to_vec(self).expect("a hello is flat and short")
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        codec::from_map(bytes)
    }
}

/// Peers that do not send `allow_pickle` accept pickles.
fn accepted() -> bool {
    true
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

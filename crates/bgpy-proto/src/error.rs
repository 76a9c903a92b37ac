use std::fmt;

/// What a peer did that ends its connection, or what kept a handshake from its end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The first bytes are not those of this protocol.
    NotBgpy,
    /// The peer speaks another version of the protocol.
    Version {
        /// Version of this side.
        ours: u8,
        /// Version of the peer.
        theirs: u8,
    },
    /// The peer asked for a cipher suite that this side does not take on this transport.
    Suite(u8),
    /// The peer could not prove that it knows the token, or a record was altered on its way.
    Unauthenticated,
    /// The client's first message was answered before: it may be a recording.
    Replayed,
    /// A length exceeds its limit.
    TooLarge {
        /// What was too long.
        what: &'static str,
        /// The announced length, in bytes.
        bytes: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A message is longer than the peer takes; it was not sent.
    Unwelcome {
        /// Its length, in bytes.
        bytes: u64,
        /// What the peer takes at most, in bytes.
        limit: u64,
    },
    /// The system has no memory for a message.
    Memory {
        /// Its length, in bytes.
        bytes: u64,
    },
    /// The bytes break a rule of the protocol.
    Malformed(&'static str),
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBgpy => write!(f, "the peer does not speak the bgpy protocol"),
            Self::Version { ours, theirs } => write!(
                f,
                "the peer speaks version {theirs} of the bgpy protocol and this side version {ours}"
            ),
            Self::Suite(suite) => write!(f, "cipher suite {suite} is not accepted here"),
            Self::Unauthenticated => write!(f, "the peer does not hold the same token"),
            Self::Replayed => write!(f, "its first message is one that was answered before"),
            Self::TooLarge { what, bytes, limit } => {
                write!(f, "{what} of {bytes} bytes exceeds the limit of {limit} bytes")
            }
            Self::Unwelcome { bytes, limit } => write!(
                f,
                "it has {bytes} bytes, and the other side takes {limit} at most (its \
                 max_message_bytes)"
            ),
            Self::Memory { bytes } => {
                write!(f, "there is not enough memory for a message of {bytes} bytes")
            }
            Self::Malformed(rule) => write!(f, "malformed: {rule}"),
        }
    }
}

impl std::error::Error for ProtocolError {}

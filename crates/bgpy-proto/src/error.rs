//! How a peer may violate the protocol.

/// A violation by the peer that ends its connection, or the reason why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The first bytes do not belong to this protocol.
    #[error("the peer does not speak the bgpy protocol")]
    NotBgpy,
    /// The peer speaks another version of the protocol.
    #[error("the peer speaks version {theirs} of the bgpy protocol and this side version {ours}")]
    Version {
        /// Version of this side.
        ours: u8,
        /// Version of the peer.
        theirs: u8,
    },
    /// The peer requested a cipher suite that this side does not accept on this transport.
    #[error("cipher suite {0} is not accepted here")]
    Suite(u8),
    /// The peer could not prove that it knows the token, or a record was altered in transit.
    #[error("the peer does not hold the same token")]
    Unauthenticated,
    /// The client's first message was answered before, so it may be a replay.
    #[error("its first message repeats an earlier one")]
    Replayed,
    /// A length exceeds its limit.
    #[error("{what} of {bytes} bytes exceeds the limit of {limit} bytes")]
    TooLarge {
        /// What was too long.
        what: &'static str,
        /// The announced length, in bytes.
        bytes: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A message is longer than the peer accepts; it was not sent.
    #[error("it has {bytes} bytes; the other side accepts at most {limit}")]
    Unwelcome {
        /// Its length, in bytes.
        bytes: u64,
        /// The longest message the peer accepts, in bytes.
        limit: u64,
    },
    /// The system lacks the memory for a message.
    #[error("not enough memory for a message of {bytes} bytes")]
    Memory {
        /// Its length, in bytes.
        bytes: u64,
    },
    /// The bytes violate a rule of the protocol.
    #[error("malformed: {0}")]
    Malformed(&'static str),
}

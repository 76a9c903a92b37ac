//! The payload codec: MessagePack with extension types, see PROTOCOL.md, "Payloads".
//!
//! [`mod@write`] and [`read`] are the primitives, which the Python side uses directly; [`Value`] is
//! the tree for Rust, and [`to_vec`] and [`from_slice`] convert Rust's own types.

pub mod read;
pub mod temporal;
pub mod text;
pub mod typed;
pub mod value;
pub mod write;

mod named;
mod outside;
mod tree;

pub use named::{Member, Path, PathKind};
pub use outside::Outside;
pub use read::{Item, Reader};
pub use temporal::{Date, DateTime, Span, Time, Zone};
pub use tree::complex;
pub use typed::{TypedError, from_slice, from_value, to_value, to_vec};
pub(crate) use typed::{bytes, from_map};
pub use value::Value;

/// Extension types of the payload codec.
pub mod ext {
    /// An integer beyond 64 bits: two's complement, little-endian, at least one byte.
    pub const BIG_INT: i8 = 1;
    /// A tuple: its items, encoded one after another.
    pub const TUPLE: i8 = 2;
    /// A pickle of protocol 5; its buffers are those of the frame.
    pub const PICKLE: i8 = 3;
    /// A pickle that contains code: major and minor version of the Python that can run it, one byte
    /// each, then the pickle.
    pub const CODE: i8 = 4;
    /// A text or bytes in the next buffer of the frame; [`Outside`](super::Outside) says which.
    pub const OUTSIDE: i8 = 5;
    /// A text with lone surrogates, each in the three bytes of its UTF-8-style encoding.
    pub const SURROGATES: i8 = 8;
    /// A mutable byte string.
    pub const BYTEARRAY: i8 = 9;
    /// A set: its items, encoded one after another.
    pub const SET: i8 = 10;
    /// An immutable set, encoded in the same way.
    pub const FROZENSET: i8 = 11;
    /// A complex number: two doubles, big-endian.
    pub const COMPLEX: i8 = 12;
    /// A [`Date`](super::Date).
    pub const DATE: i8 = 13;
    /// A [`Time`](super::Time).
    pub const TIME: i8 = 14;
    /// A [`DateTime`](super::DateTime).
    pub const DATETIME: i8 = 15;
    /// A [`Span`](super::Span).
    pub const SPAN: i8 = 16;
    /// A [`Zone`](super::Zone).
    pub const ZONE: i8 = 17;
    /// A decimal number as text.
    pub const DECIMAL: i8 = 18;
    /// A UUID: its 16 bytes.
    pub const UUID: i8 = 19;
    /// A [`Path`](super::Path).
    pub const PATH: i8 = 20;
    /// A [`Member`](super::Member) of an enumeration.
    pub const MEMBER: i8 = 21;
}

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The message ends in the middle of a value.
    #[error("the message ends in the middle of a value")]
    Truncated,
    /// Bytes follow the message.
    #[error("bytes follow the end of the message")]
    Trailing,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// The marker 0xc1, which MessagePack does not use.
    #[error("the unused marker 0xc1")]
    Marker,
    /// Nesting beyond [`DEPTH_MAX`](crate::limits::DEPTH_MAX).
    #[error("nested deeper than {} levels", crate::limits::DEPTH_MAX)]
    Depth,
    /// An extension of unknown type, or with invalid contents.
    #[error("extension type {0} with unknown contents")]
    Extension(i8),
    /// The message refers to more buffers than it has, or to fewer.
    #[error("its buffers are not those that it refers to")]
    Buffers,
    /// A value to encode has 2^32 or more bytes or items.
    #[error("{}", write::TooLong)]
    TooLong,
    /// The system lacks the memory for the contents of the message.
    #[error("not enough memory for it")]
    Memory,
}

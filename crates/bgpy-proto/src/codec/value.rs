//! A tree of plain data, for Rust clients, Rust servers and the protocol's own messages.

use super::{CodecError, Date, DateTime, Member, Path, Span, Time, Zone, write};

/// Plain data.
#[derive(Debug, Default, Clone, PartialEq)]
pub enum Value {
    /// Python's `None`.
    #[default]
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer that fits an `i64`.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// An integer beyond 64 bits: two's complement, little-endian.
    BigInt(Vec<u8>),
    /// A double.
    Float(f64),
    /// A text.
    Str(String),
    /// A byte string.
    Bytes(Vec<u8>),
    /// Python's `list`.
    List(Vec<Value>),
    /// Python's `tuple`.
    Tuple(Vec<Value>),
    /// Python's `dict`, in its order.
    Map(Vec<(Value, Value)>),
    /// Python's `set`. Whether its items are unique is not checked.
    Set(Vec<Value>),
    /// Python's `frozenset`, also unchecked.
    FrozenSet(Vec<Value>),
    /// A text with [surrogates](super::text::has_surrogates), as Python uses for file names that
    /// are not valid Unicode.
    Surrogates(Vec<u8>),
    /// Python's `bytearray`.
    ByteArray(Vec<u8>),
    /// A complex number: its real and its imaginary part.
    Complex(f64, f64),
    /// A day.
    Date(Date),
    /// A time of the day.
    Time(Time),
    /// A day and a time.
    DateTime(DateTime),
    /// A span of time.
    Span(Span),
    /// A time zone of its own.
    Zone(Box<Zone>),
    /// A [decimal number](super::text::is_decimal), as Python writes it.
    Decimal(String),
    /// A UUID.
    Uuid([u8; 16]),
    /// A path.
    Path(Box<Path>),
    /// A member of an enumeration.
    Member(Box<Member>),
    /// A Python object beyond plain data: its pickle. Rust passes it on unread.
    Pickle(Vec<u8>),
    /// The same for an object with code: two bytes of version, and its pickle.
    Code(Vec<u8>),
}

impl Value {
    /// The value of a text key, if this is a map that has the key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let Self::Map(pairs) = self else { return None };
        pairs
            .iter()
            .find(|(name, _)| matches!(name, Self::Str(name) if name == key))
            .map(|(_, v)| v)
    }

    /// Like [`get`](Self::get), for changing or taking the value.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let Self::Map(pairs) = self else { return None };
        let found = pairs.iter_mut();
        found.filter(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value).next()
    }

    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(text) = self { Some(text) } else { None }
    }

    /// The number, if this is a non-negative integer below 2^64.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Int(value) => u64::try_from(*value).ok(),
            Self::UInt(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if this is an integer that fits an `i64`.
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Int(value) = self { Some(*value) } else { None }
    }

    /// The number, if this is a float.
    pub fn as_f64(&self) -> Option<f64> {
        if let Self::Float(value) = self { Some(*value) } else { None }
    }

    /// The boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The bytes, if this is a byte string, mutable or not.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) | Self::ByteArray(bytes) = self { Some(bytes) } else { None }
    }

    /// The items, if this is a list, a tuple or a set.
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) | Self::Tuple(items) | Self::Set(items) | Self::FrozenSet(items) => {
                Some(items)
            }
            _ => None,
        }
    }
}

impl From<write::TooLong> for CodecError {
    fn from(_: write::TooLong) -> Self {
        Self::TooLong
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::UInt(value), Self::Int)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nil, Into::into)
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Value {
    fn from(pairs: [(&str, Value); N]) -> Self {
        Self::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }
}

//! A tree of plain data, for Rust clients, Rust servers and the protocol's own messages.

use super::{CodecError, Reader, Token, ext, write};
use crate::limits::DEPTH_MAX;

/// Plain data.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Python's `None`.
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer that fits an `i64`.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// An integer beyond 64 bits: two's complement, little endian.
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
    /// An object of Python's that plain data cannot carry: its pickle. Rust passes it on unread.
    Pickle(Vec<u8>),
    /// The same for an object that brings code along: two bytes of version, and its pickle.
    Code(Vec<u8>),
}

impl Value {
    /// The value of a text key, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let Self::Map(pairs) = self else { return None };
        pairs
            .iter()
            .find(|(name, _)| matches!(name, Self::Str(name) if name == key))
            .map(|(_, v)| v)
    }

    /// The text, when this is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(text) = self { Some(text) } else { None }
    }

    /// The number, when this is a non-negative integer below 2^64.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Int(value) => u64::try_from(*value).ok(),
            Self::UInt(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, when this is an integer that fits an `i64`.
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Int(value) = self { Some(*value) } else { None }
    }

    /// Encodes the tree.
    ///
    /// # Errors
    /// [`CodecError::Depth`] when it is nested too deeply, [`CodecError::TooLong`] when a part of it
    /// has 2^32 or more bytes or items.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let mut out = Vec::new();
        self.encode_into(&mut out, DEPTH_MAX)?;
        Ok(out)
    }

    /// Decodes a message that consists of one value.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are not exactly one value.
    pub fn decode(message: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(message);
        let value = Self::decode_from(&mut reader, DEPTH_MAX)?;
        reader.finish()?;
        Ok(value)
    }

    fn encode_into(&self, out: &mut Vec<u8>, depth: usize) -> Result<(), CodecError> {
        let depth = depth.checked_sub(1).ok_or(CodecError::Depth)?;
        match self {
            Self::Nil => write::nil(out),
            Self::Bool(value) => write::bool(out, *value),
            Self::Int(value) => write::int(out, *value),
            Self::UInt(value) => write::uint(out, *value),
            Self::Float(value) => write::f64(out, *value),
            Self::BigInt(bytes) if bytes.is_empty() => write::int(out, 0),
            Self::BigInt(bytes) => write::ext(out, ext::BIG_INT, bytes)?,
            Self::Str(text) => write::str(out, text)?,
            Self::Bytes(bytes) => write::bin(out, bytes)?,
            Self::Pickle(pickle) => write::ext(out, ext::PICKLE, pickle)?,
            Self::Code(code) => write::ext(out, ext::CODE, code)?,
            Self::List(items) => {
                write::array(out, items.len())?;
                items.iter().try_for_each(|item| item.encode_into(out, depth))?;
            }
            Self::Tuple(items) => {
                let mut inner = Vec::new();
                items.iter().try_for_each(|item| item.encode_into(&mut inner, depth))?;
                write::ext(out, ext::TUPLE, &inner)?;
            }
            Self::Map(pairs) => {
                write::map(out, pairs.len())?;
                for (key, value) in pairs {
                    key.encode_into(out, depth)?;
                    value.encode_into(out, depth)?;
                }
            }
        }
        Ok(())
    }

    fn decode_from(reader: &mut Reader<'_>, depth: usize) -> Result<Self, CodecError> {
        let depth = depth.checked_sub(1).ok_or(CodecError::Depth)?;
        Ok(match reader.token()? {
            Token::Nil => Self::Nil,
            Token::Bool(value) => Self::Bool(value),
            Token::Int(value) => Self::Int(value),
            Token::UInt(value) => Self::UInt(value),
            Token::F64(value) => Self::Float(value),
            Token::Str(text) => Self::Str(text.to_owned()),
            Token::Bin(bytes) => Self::Bytes(bytes.to_vec()),
            Token::Array(items) => Self::List(
                (0..items).map(|_| Self::decode_from(reader, depth)).collect::<Result<_, _>>()?,
            ),
            Token::Map(pairs) => {
                let pair =
                    |_| Ok((Self::decode_from(reader, depth)?, Self::decode_from(reader, depth)?));
                Self::Map((0..pairs).map(pair).collect::<Result<_, CodecError>>()?)
            }
            Token::Ext(ext::BIG_INT, bytes) if !bytes.is_empty() => Self::BigInt(bytes.to_vec()),
            Token::Ext(ext::PICKLE, pickle) => Self::Pickle(pickle.to_vec()),
            Token::Ext(ext::CODE, code) if code.len() >= 2 => Self::Code(code.to_vec()),
            Token::Ext(ext::TUPLE, items) => {
                let (mut inner, mut tuple) = (Reader::new(items), Vec::new());
                while !inner.is_at_end() {
                    tuple.push(Self::decode_from(&mut inner, depth)?);
                }
                Self::Tuple(tuple)
            }
            Token::Ext(kind, _) => return Err(CodecError::Extension(kind)),
        })
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

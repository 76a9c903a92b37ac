//! Rust's own types as messages, through serde.
//!
//! A struct is a map with text keys, hence a `dict` in Python; a tuple is a `tuple`, a sequence a
//! `list`; an enum is the name of its variant, or a map from that name to its contents. Other
//! Python types can be read as their closest equivalent: a set as a sequence, a date, a time, a
//! decimal, a UUID and a path as text, an enumeration member as its value.

pub(crate) mod bytes;
mod deserialize;
mod serialize;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CodecError, Value};

/// Why a conversion between a Rust value and a message failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypedError {
    /// The bytes are not a message.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The message does not match the type.
    #[error("{0}")]
    Type(String),
}

impl serde::ser::Error for TypedError {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::Type(text.to_string())
    }
}

impl serde::de::Error for TypedError {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::Type(text.to_string())
    }
}

/// Encodes a Rust value as a message.
///
/// ```
/// use bgpy_proto::codec::{from_slice, to_vec};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Job {
///     model: String,
///     batch: u32,
///     tags: Vec<String>,
/// }
///
/// let job = Job { model: "resnet".into(), batch: 32, tags: vec!["a".into()] };
/// let message = to_vec(&job)?;
/// assert_eq!(from_slice::<Job>(&message)?, job);
/// # Ok::<(), bgpy_proto::codec::TypedError>(())
/// ```
///
/// # Errors
/// [`TypedError`] when it is nested too deeply or too long, or when its own code raises one.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, TypedError> {
    Ok(to_value(value)?.encode()?)
}

/// Decodes a message as a Rust value.
///
/// # Errors
/// [`TypedError`] if the bytes are not a message, or do not match the type.
pub fn from_slice<T: DeserializeOwned>(message: &[u8]) -> Result<T, TypedError> {
    from_value(Value::decode(message)?)
}

/// Decodes a struct; `None` if the bytes are not a map with its keys. serde would also accept a
/// list.
pub(crate) fn from_map<T: DeserializeOwned>(message: &[u8]) -> Option<T> {
    match Value::decode(message).ok()? {
        map @ Value::Map(_) => from_value(map).ok(),
        _ => None,
    }
}

/// Makes a tree of a Rust value.
///
/// ```
/// use bgpy_proto::codec::{Value, to_value};
///
/// assert_eq!(to_value(&(1, "a"))?, Value::Tuple(vec![Value::Int(1), "a".into()]));
/// # Ok::<(), bgpy_proto::codec::TypedError>(())
/// ```
///
/// # Errors
/// [`TypedError`] when its own code raises one.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, TypedError> {
    value.serialize(serialize::ToValue)
}

/// Makes a Rust value of a tree.
///
/// ```
/// use bgpy_proto::codec::{Date, Value, from_value};
///
/// let days = Value::Set(vec![Value::Date(Date { year: 2026, month: 1, day: 2 })]);
/// assert_eq!(from_value::<Vec<String>>(days)?, ["2026-01-02"]);
/// # Ok::<(), bgpy_proto::codec::TypedError>(())
/// ```
///
/// # Errors
/// [`TypedError`] when the tree is none for this type.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, TypedError> {
    T::deserialize(deserialize::FromValue(value))
}

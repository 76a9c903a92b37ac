//! From messages to Python objects, without a tree in between.

use bgpy::Delivered;
use bgpy::limits::DEPTH_MAX;
use bgpy_proto::codec::{CodecError, Reader, Token, ext};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyList, PyString, PyTuple};

use crate::errors::serialization_error;
use crate::{keys, pickle};

/// What the receiver allows.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Whether pickles are opened.
    pub allow_pickle: bool,
}

/// Decodes a message.
///
/// # Errors
/// `SerializationError`, also for what the policy refuses.
pub fn decode(py: Python<'_>, message: Delivered, policy: Policy) -> PyResult<Bound<'_, PyAny>> {
    // A message that is one pickle takes the buffers along.
    if let Ok(Token::Ext(ext::PICKLE | ext::CODE, _)) = Reader::new(message.data()).token() {
        return pickle::loads(py, message, policy);
    }
    let mut reader = Reader::new(message.data());
    let object = value(py, &mut reader, DEPTH_MAX)?;
    reader.finish().map_err(|error| malformed(py, error))?;
    Ok(object)
}

fn value<'py>(
    py: Python<'py>,
    reader: &mut Reader<'_>,
    depth: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let token = next(py, reader)?;
    object(py, token, reader, depth)
}

fn next<'m>(py: Python<'_>, reader: &mut Reader<'m>) -> PyResult<Token<'m>> {
    reader.token().map_err(|error| malformed(py, error))
}

/// The object that a token is, or that it begins.
fn object<'py>(
    py: Python<'py>,
    token: Token<'_>,
    reader: &mut Reader<'_>,
    depth: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let depth = depth.checked_sub(1).ok_or_else(|| malformed(py, CodecError::Depth))?;
    Ok(match token {
        Token::Nil => py.None().into_bound(py),
        Token::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
        Token::Int(value) => value.into_pyobject(py)?.into_any(),
        Token::UInt(value) => value.into_pyobject(py)?.into_any(),
        Token::F64(value) => PyFloat::new(py, value).into_any(),
        Token::Str(text) => PyString::new(py, text).into_any(),
        Token::Bin(bytes) => PyBytes::new(py, bytes).into_any(),
        Token::Array(items) => {
            let list = PyList::empty(py);
            for _ in 0..items {
                list.append(value(py, reader, depth)?)?;
            }
            list.into_any()
        }
        Token::Map(pairs) => {
            let dict = PyDict::new(py);
            for _ in 0..pairs {
                let key = match next(py, reader)? {
                    Token::Str(text) => keys::key(py, text).into_any(),
                    other => object(py, other, reader, depth)?,
                };
                dict.set_item(key, value(py, reader, depth)?)?;
            }
            dict.into_any()
        }
        Token::Ext(ext::TUPLE, items) => {
            let (mut inner, mut tuple) = (Reader::new(items), Vec::new());
            while !inner.is_at_end() {
                tuple.push(value(py, &mut inner, depth)?);
            }
            PyTuple::new(py, tuple)?.into_any()
        }
        Token::Ext(ext::BIG_INT, bytes) if !bytes.is_empty() => {
            let signed = PyDict::new(py);
            signed.set_item("signed", true)?;
            let arguments = (PyBytes::new(py, bytes), "little");
            py.get_type::<pyo3::types::PyInt>().call_method(
                "from_bytes",
                arguments,
                Some(&signed),
            )?
        }
        Token::Ext(kind, _) => return Err(malformed(py, CodecError::Extension(kind))),
    })
}

fn malformed(py: Python<'_>, error: CodecError) -> PyErr {
    serialization_error(py, format!("the message cannot be decoded: {error}"), None)
}

//! Showing a message to people, as Python does.

use std::io::{self, Read};

use bgpy::Delivered;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::decode::{Policy, decode};

/// Return the repr of a message.
pub fn repr(py: Python<'_>, message: Delivered) -> PyResult<String> {
    let object = decode(py, "response", message, Policy { allow_pickle: true })?;
    Ok(object.repr()?.to_string())
}

/// Read a message from standard input, where the command `bgpy` has put it, and return its repr.
///
/// Returns
/// -------
/// str
///     What Python shows.
///
/// Raises
/// ------
/// SerializationError
///     If the message cannot be decoded.
#[pyfunction]
pub fn show(py: Python<'_>) -> PyResult<String> {
    let parts = py.detach(|| parts(io::stdin().lock()))?;
    let mut parts = parts.into_iter();
    let data = parts.next().ok_or_else(|| PyValueError::new_err("there is no message"))?;
    repr(py, Delivered::handed_over(data, parts.collect()))
}

/// The parts of a message, each behind its length in 8 bytes, little endian.
fn parts(mut input: impl Read) -> io::Result<Vec<Vec<u8>>> {
    let mut parts = Vec::new();
    let mut length = [0; 8];
    while input.read(&mut length[..1])? == 1 {
        input.read_exact(&mut length[1..])?;
        let mut part = Vec::new();
        let length = u64::from_le_bytes(length);
        if input.by_ref().take(length).read_to_end(&mut part)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        parts.push(part);
    }
    Ok(parts)
}

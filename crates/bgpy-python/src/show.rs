//! Showing a message to people, as Python does.

use std::io;

use bgpy::Delivered;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::decode::{Policy, decode};

/// Return the repr of a message.
pub fn repr(py: Python<'_>, message: Delivered) -> PyResult<Bound<'_, PyString>> {
    decode(py, "response", message, Policy { allow_pickle: true })?.repr()
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
pub fn show(py: Python<'_>) -> PyResult<Bound<'_, PyString>> {
    let message = py.detach(|| bgpy::parts::read(io::stdin().lock()))?;
    repr(py, message)
}

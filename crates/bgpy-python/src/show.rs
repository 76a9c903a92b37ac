//! Showing a message to people, as Python does.

use std::io;

use bgpy::Delivered;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::decode::{Policy, decode};

/// Return the repr of a message.
pub fn repr(py: Python<'_>, message: Delivered, policy: Policy) -> PyResult<Bound<'_, PyString>> {
    decode(py, "response", message, policy)?.repr()
}

/// Read a message from standard input, where the command `bgpy` has put it, and return its repr.
///
/// Parameters
/// ----------
/// allow_pickle : bool
///     Whether a pickle is opened.
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
pub fn show(py: Python<'_>, allow_pickle: bool) -> PyResult<Bound<'_, PyString>> {
    let message = py.detach(|| bgpy::parts::read(io::stdin().lock()))?;
    repr(py, message, Policy { allow_pickle })
}

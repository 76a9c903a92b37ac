//! The repr of a message, for the command `bgpy`.

use std::io;

use bgpy::Delivered;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::codec::decode::{Policy, decode};

/// Return the repr of a message.
pub fn repr(
    py: Python<'_>,
    message: Delivered,
    allow_pickle: bool,
) -> PyResult<Bound<'_, PyString>> {
    let policy = Policy { is_for_show: true, ..Policy::new(allow_pickle) };
    decode(py, "response", message, policy)?.repr()
}

/// Read a message that the command `bgpy` writes to standard input, and return its repr.
///
/// Parameters
/// ----------
/// allow_pickle : bool
///     Whether to unpickle a message that is a pickle.
///
/// Returns
/// -------
/// str
///     The repr of the object.
///
/// Raises
/// ------
/// SerializationError
///     If the message cannot be decoded.
#[pyfunction]
pub fn show(py: Python<'_>, allow_pickle: bool) -> PyResult<Bound<'_, PyString>> {
    let message = py.detach(|| bgpy::durable::message_file::read(io::stdin().lock()))?;
    repr(py, message, allow_pickle)
}

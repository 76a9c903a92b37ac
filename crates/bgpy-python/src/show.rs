//! Showing a message to people, as Python does.

use std::io;

use bgpy::Delivered;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::decode::{Policy, decode};
use crate::text::words;

/// Return the repr of a message.
pub fn repr(
    py: Python<'_>,
    message: Delivered,
    allow_pickle: bool,
) -> PyResult<Bound<'_, PyString>> {
    let policy = Policy { is_for_show: true, ..Policy::new(allow_pickle) };
    decode(py, "response", message, policy)?.repr()
}

/// What is shown for a member of an enumeration that is not imported here, and that nobody may import.
#[pyclass(frozen)]
pub struct UnknownMember {
    pub class: String,
    pub value: Py<PyAny>,
}

#[pymethods]
impl UnknownMember {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<{}: {}>", self.class, words(&self.value.bind(py).repr()?)?))
    }
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
    let message = py.detach(|| bgpy::durable::message_file::read(io::stdin().lock()))?;
    repr(py, message, allow_pickle)
}

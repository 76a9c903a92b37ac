//! A message as text, for the command `bgpy`.

use std::io;

use bgpy::Delivered;
use bgpy_cli::Notation;
use pyo3::prelude::*;

use crate::codec::decode::{Policy, decode};

/// Return a message as text.
pub fn text(
    py: Python<'_>,
    message: Delivered,
    notation: Notation,
    allow_pickle: bool,
) -> PyResult<String> {
    let policy = Policy { is_for_show: true, ..Policy::new(allow_pickle) };
    let sys = py.import("sys")?;
    let output = sys.getattr("stdout")?;
    // What modules of the answer print when they are imported is no part of it.
    sys.setattr("stdout", sys.getattr("stderr")?)?;
    let shown = decode(py, "response", message, policy).and_then(|object| {
        let text = py.import("bgpy._json")?.getattr("text")?;
        text.call1((object, notation == Notation::Json))?.extract()
    });
    sys.setattr("stdout", output)?;
    shown
}

/// Read a message that the command `bgpy` writes to standard input, and return it as text.
///
/// Parameters
/// ----------
/// allow_pickle : bool
///     Whether to unpickle a message that is a pickle.
/// as_json : bool
///     Whether to return JSON instead of the repr.
///
/// Returns
/// -------
/// str
///     The repr of the object, or the object as JSON.
///
/// Raises
/// ------
/// SerializationError
///     If the message cannot be decoded.
/// ValueError
///     If the object has no form in JSON.
#[pyfunction]
pub fn show(py: Python<'_>, allow_pickle: bool, as_json: bool) -> PyResult<String> {
    let message = py.detach(|| bgpy::durable::message_file::read(io::stdin().lock()))?;
    text(py, message, if as_json { Notation::Json } else { Notation::Repr }, allow_pickle)
}

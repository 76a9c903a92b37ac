//! What Python says of an exception, no longer than a failure holds: how long it is, a task decides.

use bgpy::limits::FAILURE_TEXT_BYTES_MAX;
use pyo3::prelude::*;
use pyo3::types::{PySequence, PyString};

/// A text, or both ends of one that is too long.
pub fn words(text: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = text.cast::<PyString>()?;
    let all = text.cast::<PySequence>()?;
    let length = all.len()?;
    let part = |start: usize, end: usize| -> PyResult<String> {
        let part = all.get_slice(start, end)?;
        Ok(part.cast::<PyString>()?.to_string_lossy().into_owned())
    };
    if length <= FAILURE_TEXT_BYTES_MAX {
        return Ok(text.to_string_lossy().into_owned());
    }
    let half = FAILURE_TEXT_BYTES_MAX / 2;
    let (head, tail) = (part(0, half)?, part(length - half, length)?);
    Ok(format!("{head}\n[... {} characters left out ...]\n{tail}", length - 2 * half))
}

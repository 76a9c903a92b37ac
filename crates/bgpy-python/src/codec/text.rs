//! The text of Python objects as Rust strings, shortened to the length that a failure may have: a task decides
//! how long its texts are.

use bgpy::limits::FAILURE_TEXT_BYTES_MAX;
use pyo3::prelude::*;
use pyo3::types::{PySlice, PyString};

/// `str(object)`; empty if that raises.
pub fn text(object: &Bound<'_, PyAny>) -> String {
    object.str().and_then(|text| shortened(&text)).unwrap_or_default()
}

/// A text; if it is too long, its two ends.
pub fn shortened(text: &Bound<'_, PyString>) -> PyResult<String> {
    // Not as a `PySequence`: PyO3 would import something for that, which panics where it fails.
    let length = text.len()?;
    if length <= FAILURE_TEXT_BYTES_MAX {
        return escaped(text);
    }
    let part = |start: usize, end: usize| {
        let range = PySlice::new(text.py(), start as isize, end as isize, 1);
        escaped(text.get_item(range)?.cast::<PyString>()?)
    };
    let half = FAILURE_TEXT_BYTES_MAX / 2;
    let (head, tail) = (part(0, half)?, part(length - half, length)?);
    Ok(format!("{head}\n[... {} characters left out ...]\n{tail}", length - 2 * half))
}

/// A text with its surrogates escaped: names of files have them where they are not UTF-8.
fn escaped(text: &Bound<'_, PyString>) -> PyResult<String> {
    if let Ok(text) = text.to_str() {
        return Ok(text.to_owned());
    }
    let bytes = text.call_method1("encode", ("utf-8", "backslashreplace"))?;
    Ok(String::from_utf8_lossy(bytes.extract()?).into_owned())
}

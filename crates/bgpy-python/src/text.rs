//! What an object says of itself, as text that Rust can hold.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// The text of an object; empty where it has none. Python's texts may hold surrogates, as the names of
/// files do that are no UTF-8: they are written as escapes.
pub fn text(object: &Bound<'_, PyAny>) -> String {
    object.str().map(|text| escaped(&text)).unwrap_or_default()
}

/// A text with escapes for its surrogates.
pub fn escaped(text: &Bound<'_, PyString>) -> String {
    match text.to_str() {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let bytes = text.call_method1("encode", ("utf-8", "backslashreplace"));
            let bytes = bytes.and_then(|bytes| bytes.extract::<Vec<u8>>()).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        }
    }
}

//! A cache of short strings that were decoded as keys of dicts. Keys repeat from call to call, and a string
//! that exists has its hash already and needs no allocation.

use std::cell::RefCell;

use crate::once::Once;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::builtins;

/// Longer strings are rarely keys.
const BYTES_MAX: usize = 32;

/// The keys of larger dicts are data, and rarely repeat.
pub const PAIRS_MAX: usize = 64;

/// Number of slots. Each string has one slot, in which it replaces the previous string.
const PLACES: usize = 256;

/// The cache, protected by the GIL, which every decoding holds.
struct Keys {
    places: RefCell<Vec<Option<Py<PyString>>>>,
}

// SAFETY: the cell is borrowed only in `key`, with the GIL held. Nothing within that borrow runs Python code,
// which could release the GIL or decode another message: the string that is replaced is dropped after it.
unsafe impl Sync for Keys {}

/// The string for a key, the same object as before where possible.
pub fn key<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    static KEYS: Once<Keys> = Once::new();
    if text.len() > BYTES_MAX {
        return builtins::text(py, text);
    }
    let new = || Keys { places: RefCell::new((0..PLACES).map(|_| None).collect()) };
    let mut places = KEYS.get_or_init(py, new).places.borrow_mut();
    let place = &mut places[place(text)];
    if let Some(known) = place
        && known.bind(py).to_str().is_ok_and(|known| known == text)
    {
        return Ok(known.bind(py).clone());
    }
    let string = builtins::text(py, text)?;
    let before = place.replace(string.clone().unbind());
    drop(places);
    drop(before);
    Ok(string)
}

/// The slot of a string, by FNV-1a, which suits a few bytes. A collision only costs a cache miss.
fn place(text: &str) -> usize {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 32) as usize % PLACES
}

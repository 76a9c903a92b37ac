//! The function `token_create`.

use bgpy::Token;
use pyo3::prelude::*;

use crate::exceptions::config_error;

/// Create a token: URL-safe text made from random bytes of the operating system.
///
/// Parameters
/// ----------
/// length : int, default 64
///     Number of random bytes; the text is a third longer. A token made from fewer than 32 bytes counts
///     as guessable, and is refused on addresses that other machines can reach.
///
/// Returns
/// -------
/// str
///     The token.
///
/// Raises
/// ------
/// ConfigError
///     If `length` is not between 1 and 1024.
#[pyfunction]
#[pyo3(signature = (length=64))]
pub fn token_create(py: Python<'_>, length: usize) -> PyResult<String> {
    if !(1..=1024).contains(&length) {
        let text = format!("length must be between 1 and 1024 bytes, not {length}");
        return Err(config_error(py, text));
    }
    Ok(Token::generate(length).expose().to_owned())
}

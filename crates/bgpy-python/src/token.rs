//! Tokens for users.

use bgpy::Token;
use pyo3::prelude::*;

use crate::errors::config_error;

/// Create a token: text that is safe in URLs, from random bytes of the operating system.
///
/// Parameters
/// ----------
/// length : int, default 64
///     Number of random bytes; the text is a third longer. Tokens from fewer than 32 bytes count
///     as guessable and are refused on addresses that other machines reach.
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

//! What differs between operating systems, behind one set of functions. This file alone chooses among the
//! systems.

use std::borrow::Cow;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// A text as a word of a command line, quoted only if it has to be.
pub(crate) fn shell_word(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
    match text.bytes().all(is_plain) {
        true => text.into(),
        false => shell_quoted(text).into(),
    }
}

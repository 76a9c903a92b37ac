//! The terminal, which nothing is known about.

use std::io;

pub(crate) fn columns<T>(_stream: &T) -> Option<usize> {
    None
}

pub(crate) fn is_piped() -> bool {
    false
}

pub(crate) fn is_gone() -> bool {
    false
}

pub(crate) fn end_with_it() {}

pub(crate) fn terminate_with_it() {}

pub(crate) fn code(code: u8) -> u8 {
    code
}

pub(crate) fn read_hidden(prompt: &str) -> io::Result<String> {
    rpassword::prompt_password(prompt)
}

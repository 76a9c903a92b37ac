//! The console. What is written to one that is closed goes nowhere, and the system ends its processes.

use std::io::{self, IsTerminal};
use std::os::windows::io::AsRawHandle;

use windows_sys::Win32::System::Console::{CONSOLE_SCREEN_BUFFER_INFO, GetConsoleScreenBufferInfo};

/// The number of columns of a stream, if it is a console.
pub(crate) fn columns<T: IsTerminal + AsRawHandle>(output: &T) -> Option<usize> {
    if !output.is_terminal() {
        return None;
    }
    let mut about = CONSOLE_SCREEN_BUFFER_INFO::default();
    // SAFETY: the handle is open, and the buffer outlives the call.
    let asked = unsafe { GetConsoleScreenBufferInfo(output.as_raw_handle(), &raw mut about) };
    let window = about.srWindow;
    (asked != 0).then(|| usize::try_from(window.Right - window.Left + 1).ok())?
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

/// Prints `prompt` and reads a line without echo.
pub(crate) fn read_hidden(prompt: &str) -> io::Result<String> {
    rpassword::prompt_password(prompt)
}

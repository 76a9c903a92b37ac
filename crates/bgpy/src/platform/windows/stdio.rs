//! Standard input, output and error.

use std::fs::File;
use std::io::{self, Write};
use std::os::windows::io::AsHandle;

pub(crate) fn stderr_is_file() -> bool {
    false
}

pub(crate) fn write_stdout(bytes: &[u8]) -> io::Result<usize> {
    io::stdout().write(bytes)
}

pub(crate) fn write_stderr(bytes: &[u8]) -> io::Result<usize> {
    io::stderr().write(bytes)
}

pub(crate) fn redirect_output(_file: &File) -> io::Result<()> {
    Ok(())
}

pub(crate) fn take_input() -> io::Result<File> {
    Ok(io::stdin().as_handle().try_clone_to_owned()?.into())
}

pub(crate) fn take_output() -> io::Result<File> {
    Ok(io::stdout().as_handle().try_clone_to_owned()?.into())
}

pub(crate) fn write(mut output: impl Write, bytes: &[u8]) -> io::Result<usize> {
    output.write(bytes)
}

pub(crate) fn write_all(mut output: impl Write, bytes: &[u8]) -> io::Result<()> {
    output.write_all(bytes)
}

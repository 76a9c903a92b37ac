//! Standard input, output and error.
//!
//! A process has them twice: as handles of the system, which Rust uses and started processes
//! inherit, and as descriptors 0 to 2 of the C library, which Python uses. A background server has
//! to replace both.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::mem::ManuallyDrop;
use std::os::windows::io::{AsHandle, BorrowedHandle, FromRawHandle, IntoRawHandle};

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Storage::FileSystem::{FILE_TYPE_DISK, GetFileType};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, SetStdHandle,
};

use super::c_library::CLibrary;
use super::files::NOWHERE;
use super::handle::{check, inheritable};

/// The three streams, by descriptor.
const STREAMS: [STD_HANDLE; 3] = [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE];

/// Whether standard error is a regular file, to which writes do not block.
pub(crate) fn stderr_is_file() -> bool {
    // SAFETY: the handle is only examined.
    unsafe { GetFileType(standard(2)) == FILE_TYPE_DISK }
}

/// Writes to standard output without the lock and the buffer of the standard library: a thread that
/// blocks in there on a slow reader would block all others.
pub(crate) fn write_stdout(bytes: &[u8]) -> io::Result<usize> {
    // A console takes text, which the standard library makes of the bytes.
    if io::stdout().is_terminal() { io::stdout().write(bytes) } else { write_to(1, bytes) }
}

/// Writes to standard error in the same way.
pub(crate) fn write_stderr(bytes: &[u8]) -> io::Result<usize> {
    if io::stderr().is_terminal() { io::stderr().write(bytes) } else { write_to(2, bytes) }
}

fn write_to(descriptor: usize, bytes: &[u8]) -> io::Result<usize> {
    let handle = standard(descriptor);
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    // SAFETY: it is not closed when the file is dropped, as that never happens.
    let file = ManuallyDrop::new(unsafe { File::from_raw_handle(handle) });
    (&*file).write(bytes)
}

/// Makes `file` the process's standard output and standard error.
pub(crate) fn redirect_output(file: &File) -> io::Result<()> {
    replace(1, file.as_handle())?;
    replace(2, file.as_handle())
}

/// Takes standard input, and replaces it with an empty one.
pub(crate) fn take_input() -> io::Result<File> {
    let input = io::stdin().as_handle().try_clone_to_owned()?;
    replace(0, OpenOptions::new().read(true).open(NOWHERE)?.as_handle())?;
    Ok(input.into())
}

/// Takes standard output, and replaces it with standard error, which is the log.
pub(crate) fn take_output() -> io::Result<File> {
    let output = io::stdout().as_handle().try_clone_to_owned()?;
    replace(1, io::stderr().as_handle())?;
    Ok(output.into())
}

pub(crate) fn write(mut output: impl Write, bytes: &[u8]) -> io::Result<usize> {
    output.write(bytes)
}

pub(crate) fn write_all(mut output: impl Write, bytes: &[u8]) -> io::Result<()> {
    output.write_all(bytes)
}

fn standard(descriptor: usize) -> HANDLE {
    // SAFETY: it takes no pointers.
    unsafe { GetStdHandle(STREAMS[descriptor]) }
}

/// Replaces a stream by another file, of which started processes inherit a handle.
fn replace(descriptor: usize, file: BorrowedHandle<'_>) -> io::Result<()> {
    let copy = inheritable(file)?;
    if let Some(library) = CLibrary::of_python() {
        let kept = library.replace(descriptor, copy)?;
        return set_standard(descriptor, kept);
    }
    let before = standard(descriptor);
    set_standard(descriptor, copy.into_raw_handle())?;
    let is_shared = (0..STREAMS.len()).any(|other| standard(other) == before);
    if !before.is_null() && before != INVALID_HANDLE_VALUE && !is_shared {
        // SAFETY: it was the handle of this stream alone, which no longer has it.
        unsafe { CloseHandle(before) };
    }
    Ok(())
}

fn set_standard(descriptor: usize, handle: HANDLE) -> io::Result<()> {
    // SAFETY: the handle stays open for as long as it is that of the stream.
    check(unsafe { SetStdHandle(STREAMS[descriptor], handle) })
}

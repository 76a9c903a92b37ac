//! Standard input, output and error.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};

use super::write::write;

/// Whether standard error is a regular file, to which writes do not block.
pub(crate) fn stderr_is_file() -> bool {
    let about = rustix::fs::fstat(rustix::stdio::stderr());
    about.is_ok_and(|about| rustix::fs::FileType::from_raw_mode(about.st_mode).is_file())
}

/// Writes to standard output without the lock and the buffer of the standard library: a thread that
/// blocks in there on a slow reader would block all others.
pub(crate) fn write_stdout(bytes: &[u8]) -> io::Result<usize> {
    write_patiently(rustix::stdio::stdout(), bytes)
}

/// Writes to standard error in the same way.
pub(crate) fn write_stderr(bytes: &[u8]) -> io::Result<usize> {
    write_patiently(rustix::stdio::stderr(), bytes)
}

fn write_patiently(output: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match write(output, bytes) {
            // Another process that shares it may have made it non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(&output, PollFlags::OUT)], None)?;
            }
            result => return result,
        }
    }
}

/// Makes `file` the process's standard output and standard error.
pub(crate) fn redirect_output(file: &File) -> io::Result<()> {
    rustix::stdio::dup2_stdout(file)?;
    rustix::stdio::dup2_stderr(file)?;
    Ok(())
}

/// Takes standard input, and replaces it with /dev/null.
pub(crate) fn take_input() -> io::Result<File> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(input.into())
}

/// Takes standard output, and replaces it with standard error, which is the log.
pub(crate) fn take_output() -> io::Result<File> {
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(output.into())
}

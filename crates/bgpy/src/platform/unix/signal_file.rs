//! A signal whose handler writes to a file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;

use super::unnamed_file;
use crate::platform::{Private, spare_signal};

/// A signal that this process does not use, and a file for its handler to write to, which no forked
/// child has. The handler itself belongs to the caller.
#[derive(Debug)]
pub struct SignalFile {
    file: Private<File>,
    signal: i32,
    /// The handler's address.
    handler: usize,
}

impl SignalFile {
    /// Opens a file; `None` if the signal has a handler or is ignored already.
    ///
    /// # Errors
    /// The system's error.
    pub fn open() -> io::Result<Option<Self>> {
        let signal = spare_signal();
        if handler(signal)? != libc::SIG_DFL {
            return Ok(None);
        }
        let file = Private::open(|| unnamed_file(&std::env::temp_dir()))?;
        Ok(Some(Self { file, signal, handler: libc::SIG_DFL }))
    }

    /// The signal.
    pub fn signal(&self) -> i32 {
        self.signal
    }

    /// The descriptor of the file.
    pub fn descriptor(&self) -> i32 {
        self.file.as_raw_fd()
    }

    /// Notes that the caller has installed the handler.
    ///
    /// # Errors
    /// The system's error.
    pub fn installed(&mut self) -> io::Result<()> {
        self.handler = handler(self.signal)?;
        Ok(())
    }

    /// Runs the handler on this thread, and returns what it has written; `None` if the handler or
    /// the file is no longer the one that was installed.
    ///
    /// # Errors
    /// The system's error.
    pub fn raise(&self) -> io::Result<Option<Vec<u8>>> {
        let is_own = self.handler != libc::SIG_DFL && self.handler == handler(self.signal)?;
        if !is_own || !self.file.is_intact() {
            return Ok(None);
        }
        self.file.set_len(0)?;
        (&*self.file).seek(SeekFrom::Start(0))?;
        // SAFETY: the signal has a handler, so it does not end the process. It is sent to this thread
        // alone, which does not block it and so runs the handler before `raise` returns.
        let failed = unsafe {
            let mut own: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut own);
            libc::sigaddset(&raw mut own, self.signal);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const own, std::ptr::null_mut());
            libc::raise(self.signal)
        };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
        (&*self.file).seek(SeekFrom::Start(0))?;
        let mut written = Vec::new();
        (&*self.file).read_to_end(&mut written)?;
        Ok(Some(written))
    }
}

/// The address of a signal's handler.
fn handler(signal: i32) -> io::Result<usize> {
    // SAFETY: no handler is changed, and the action is initialized before it is read.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(signal, std::ptr::null(), &raw mut action) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(action.sa_sigaction)
    }
}

//! A signal whose handler writes to a file: there is none on Windows.

use std::io;

/// Never made.
#[derive(Debug)]
pub struct SignalFile(std::convert::Infallible);

impl SignalFile {
    /// There is no such signal.
    ///
    /// # Errors
    /// None.
    pub fn open() -> io::Result<Option<Self>> {
        Ok(None)
    }

    /// The signal.
    pub fn signal(&self) -> i32 {
        match self.0 {}
    }

    /// The descriptor of the file.
    pub fn descriptor(&self) -> i32 {
        match self.0 {}
    }

    /// Notes that the caller has installed the handler.
    ///
    /// # Errors
    /// None.
    pub fn installed(&mut self) -> io::Result<()> {
        match self.0 {}
    }

    /// Runs the handler on this thread, and returns what it has written.
    ///
    /// # Errors
    /// None.
    pub fn raise(&self) -> io::Result<Option<Vec<u8>>> {
        match self.0 {}
    }
}

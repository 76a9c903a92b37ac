//! Where stamps are from: each system tells in its own way what is at a path.

use std::fs::File;
use std::io;
use std::path::Path;

use super::Stamp;

impl Stamp {
    /// Of whatever is at a path, without following a link.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        path.symlink_metadata().map(|about| Self::of(&about))
    }

    /// Of an open file.
    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
        file.metadata().map(|about| Self::of(&about))
    }

    /// Of whatever is at a path, if anything is.
    pub(crate) fn of_any(path: &Path) -> io::Result<Option<Self>> {
        match Self::at(path) {
            Ok(stamp) => Ok(Some(stamp)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

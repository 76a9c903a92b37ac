//! Files and directories. The user's profile is closed to other users already.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::platform::born;

/// A file that discards what is written to it.
pub(crate) const NOWHERE: &str = "NUL";

pub(crate) fn runtime_directory() -> Option<PathBuf> {
    std::env::var_os("LOCALAPPDATA").map(|path| PathBuf::from(path).join("bgpy\\run"))
}

/// The place has always been the same.
pub(crate) fn former_directories() -> Vec<PathBuf> {
    Vec::new()
}

pub(crate) fn ends_with_login(_directory: &Path) -> bool {
    false
}

pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    // The user's profile is already closed to other users.
    std::fs::create_dir_all(path)
}

pub(crate) fn check_private(_path: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

pub(crate) fn private_file() -> OpenOptions {
    OpenOptions::new()
}

pub(crate) fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).open(path)
}

pub(crate) fn read_own(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let about = path.symlink_metadata()?;
    if !about.is_file() || about.len() > bytes_max {
        return Err(io::Error::other(format!("it is {} of {} bytes", kind(&about), about.len())));
    }
    std::fs::read(path)
}

/// No file is overwritten: [`allocated_bytes`] reports no room.
pub(crate) fn open_private(_path: &Path, _bytes_max: u64) -> io::Result<(File, Vec<u8>)> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn write_over(_file: &File, _bytes: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Never called: there is no supervisor to keep it.
pub(crate) fn unnamed_file(_directory: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not known.
pub(crate) fn allocated_bytes(_about: &Metadata) -> u64 {
    0
}

/// Identifies a file, even after a rename: by its creation time.
pub(crate) fn identity(file: &File) -> [u64; 3] {
    file.metadata().map_or([0; 3], |about| [0, 0, born(&about)])
}

pub(crate) fn is_file_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

pub(crate) fn is_file_itself_at(file: &File, path: &Path) -> bool {
    is_file_at(file, path)
}

pub(crate) fn is_socket(_path: &Path) -> bool {
    false
}

pub(crate) fn kind(about: &Metadata) -> &'static str {
    if about.is_dir() {
        "a directory"
    } else if about.is_file() {
        "a file"
    } else {
        "a link"
    }
}

/// Tells what is at a path from anything put there later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    is_file: bool,
    length: u64,
    changed_ns: u64,
}

impl Stamp {
    pub(in crate::platform) fn of(about: &Metadata) -> Self {
        let changed = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let changed_ns = changed.map_or(0, |since| since.as_nanos() as u64);
        Self { is_file: about.is_file(), length: about.len(), changed_ns }
    }

    /// The user's profile is already closed to other users.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.is_file == other.is_file
    }
}

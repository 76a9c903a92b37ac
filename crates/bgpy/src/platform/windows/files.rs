//! Files and directories.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bgpy_proto::Id;
use serde::{Deserialize, Serialize};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_LOCK_VIOLATION, ERROR_SHARING_VIOLATION,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_DELETE_ON_CLOSE,
    FILE_FLAG_OPEN_REPARSE_POINT, GetFileInformationByHandle,
};

use super::handle::check;

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

pub(crate) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

pub(crate) fn private_file() -> OpenOptions {
    OpenOptions::new()
}

pub(crate) fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).open(path)
}

/// How long another process may have a file open that is to be replaced, or may be replacing one that
/// is to be read.
const OTHERS: Duration = Duration::from_secs(1);

/// Gives a file that is about to be replaced another name. For a moment nothing is at its path: an open
/// file can be renamed everywhere, but not everywhere replaced.
pub(crate) fn set_aside(path: &Path, aside: &Path) -> io::Result<()> {
    rename(path, aside)
}

/// Renames a file, over another one if there is one. Not every version of Windows, nor Wine, can do
/// that while somebody reads the other one.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    patiently(|| std::fs::rename(from, to))
}

/// Repeats what others hinder for a moment.
fn patiently<T>(act: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let since = Instant::now();
    loop {
        match act() {
            Err(error) if is_hindered(&error) && since.elapsed() < OTHERS => {
                std::thread::sleep(Duration::from_millis(1));
            }
            outcome => return outcome,
        }
    }
}

fn is_hindered(error: &io::Error) -> bool {
    let codes = [ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION];
    error.raw_os_error().is_some_and(|code| codes.contains(&(code as u32)))
}

pub(crate) fn read_own(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    patiently(|| read_own_once(path, bytes_max))
}

fn read_own_once(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
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

/// A file that disappears when the last process that has it open ends.
pub(crate) fn unnamed_file(directory: &Path) -> io::Result<File> {
    let path = directory.join(format!("{}.tasks", Id::random()));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).custom_flags(FILE_FLAG_DELETE_ON_CLOSE);
    options.open(path)
}

/// Not known.
pub(crate) fn allocated_bytes(_about: &Metadata) -> u64 {
    0
}

/// Identifies a file, even after a rename: by volume and number, which is not reused; zeros if it cannot
/// be examined. The time of creation says no more, and on Wine it changes with the file.
pub(crate) fn identity(file: &File) -> [u64; 3] {
    let mut about = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open, and the buffer outlives the call.
    let asked = check(unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut about) });
    let number = u64::from(about.nFileIndexHigh) << 32 | u64::from(about.nFileIndexLow);
    asked.map_or([0; 3], |()| [about.dwVolumeSerialNumber.into(), number, 0])
}

/// Whether a path leads to this open file, and not to another one or none.
pub(crate) fn is_file_at(file: &File, path: &Path) -> bool {
    is_same(file, path, FILE_FLAG_BACKUP_SEMANTICS)
}

/// Whether a path names this open file itself, and not another file, a link or nothing.
pub(crate) fn is_file_itself_at(file: &File, path: &Path) -> bool {
    is_same(file, path, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
}

fn is_same(file: &File, path: &Path, flags: u32) -> bool {
    // Without access, it can be opened whatever others do with it.
    let there = OpenOptions::new().access_mode(0).custom_flags(flags).open(path);
    let here = identity(file);
    here != [0; 3] && there.is_ok_and(|there| identity(&there) == here)
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

/// Tells what is at a path from anything put there later: by type, length and times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    attributes: u32,
    length: u64,
    created: u64,
    changed: u64,
}

impl Stamp {
    pub(in crate::platform) fn of(about: &Metadata) -> Self {
        Self {
            attributes: about.file_attributes(),
            length: about.file_size(),
            created: about.creation_time(),
            changed: about.last_write_time(),
        }
    }

    /// Whether the type is the same.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.attributes == other.attributes
    }
}

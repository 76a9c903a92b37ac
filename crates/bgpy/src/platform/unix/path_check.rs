//! Examines what is at a path without following or opening it, and reads it only if it is this
//! user's own file.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Tells what is at a path from anything put there later: by file, type, owner, mode and time of
/// the last change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    mode: u32,
    user: u32,
    device: u64,
    number: u64,
    length: u64,
    changed_s: i64,
    changed_ns: i64,
}

impl Stamp {
    pub(in crate::platform) fn of(about: &Metadata) -> Self {
        Self {
            mode: about.mode(),
            user: about.uid(),
            device: about.dev(),
            number: about.ino(),
            length: about.size(),
            changed_s: about.mtime(),
            changed_ns: about.mtime_nsec(),
        }
    }

    /// Whether type, owner and mode are the same.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (self.mode, self.user) == (other.mode, other.user)
    }
}

/// Reads a file of this user, up to `bytes_max`. Opens nothing else, does not block, and follows no
/// link.
pub(crate) fn read_own(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    read_up_to(&open_own(path, unfollowed().read(true))?, bytes_max)
}

/// Opens a file of this user for overwriting, and reads it, up to `bytes_max`. Fails if others may
/// use it.
pub(crate) fn open_private(path: &Path, bytes_max: u64) -> io::Result<(File, Vec<u8>)> {
    let file = open_own(path, unfollowed().read(true).write(true))?;
    if file.metadata()?.mode() & 0o077 != 0 {
        return Err(denied("other users may use it".to_owned()));
    }
    let bytes = read_up_to(&file, bytes_max)?;
    Ok((file, bytes))
}

/// Overwrites the beginning of a file.
pub(crate) fn write_over(file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(bytes, 0)
}

fn open_own(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let file = options.open(path).map_err(|error| told(path, error))?;
    let about = file.metadata()?;
    if about.uid() != rustix::process::geteuid().as_raw() {
        return Err(denied(format!("it belongs to another user (id {})", about.uid())));
    }
    if !about.is_file() {
        return Err(io::Error::other(format!("it is {}", kind(&about))));
    }
    Ok(file)
}

fn read_up_to(file: &File, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A byte more shows at once that it ends there.
    let length = file.metadata()?.len().min(bytes_max) + 1;
    bytes.try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))?;
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("it is longer than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// Opens the lock file of a name, creating it if nothing is there.
pub(crate) fn lock_file(path: &Path) -> io::Result<File> {
    let file = unfollowed().write(true).create(true).truncate(false).open(path);
    let file = file.map_err(|error| told(path, error))?;
    let about = file.metadata()?;
    if about.is_file() { Ok(file) } else { Err(in_the_way(path, &about)) }
}

/// Options that follow no link and do not block on a FIFO.
fn unfollowed() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

/// Explains why a file could not be opened: for a link the system reports only too many levels of
/// links.
fn told(path: &Path, error: io::Error) -> io::Error {
    match path.symlink_metadata() {
        Ok(about) if !about.is_file() => in_the_way(path, &about),
        Ok(_) | Err(_) => error,
    }
}

fn in_the_way(path: &Path, about: &Metadata) -> io::Error {
    io::Error::other(format!("'{}' is {}, and no file: remove it", path.display(), kind(about)))
}

fn denied(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

/// Whether a socket is at a path, and not a link to one.
pub(crate) fn is_socket(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.file_type().is_socket())
}

/// The type of a file, as text.
pub(crate) fn kind(about: &Metadata) -> &'static str {
    let kind = about.file_type();
    if kind.is_file() {
        "a file"
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// Checks that only this user may enter a directory.
pub(crate) fn check_private(path: &Path) -> io::Result<()> {
    let about = std::fs::metadata(path)?;
    if !about.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a directory"));
    }
    if about.uid() != rustix::process::geteuid().as_raw() {
        return Err(denied(format!("another user owns it (id {})", about.uid())));
    }
    if about.mode() & 0o077 != 0 {
        return Err(denied("other users may enter it (chmod 700 it)".to_owned()));
    }
    Ok(())
}

/// Whether a path names this open file itself, and not another file, a link or nothing.
pub(crate) fn is_file_itself_at(file: &File, path: &Path) -> bool {
    let identity = |about: Metadata| (about.dev(), about.ino());
    let here = file.metadata().map(identity).ok();
    here.is_some() && here == path.symlink_metadata().map(identity).ok()
}

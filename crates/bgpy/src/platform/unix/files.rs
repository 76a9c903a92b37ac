//! Files and directories that only this user may use.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::io::Errno;

use super::path_check::check_private;
use crate::platform::{born, memory_file};

/// A file that discards what is written to it.
pub(crate) const NOWHERE: &str = "/dev/null";

/// Opens a file for appending, creating it if it is missing. Does not block.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NXIO) => io::Error::other("it is a FIFO, and nobody reads from it yet"),
        _ => error,
    })?;
    // Writes to it may block.
    let flags = rustix::fs::fcntl_getfl(&file)?;
    rustix::fs::fcntl_setfl(&file, flags.difference(rustix::fs::OFlags::NONBLOCK))?;
    Ok(file)
}

/// Creates a directory that only this user may enter, or checks that it is one.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    check_private(path)
}

/// Whether a path leads to this open file, and not to another one or none.
pub(crate) fn is_file_at(file: &File, path: &Path) -> bool {
    let identity = |about: Metadata| (about.dev(), about.ino());
    let here = file.metadata().map(identity).ok();
    here.is_some() && here == std::fs::metadata(path).map(identity).ok()
}

/// Bytes that a file can hold without allocating more disk space.
pub(crate) fn allocated_bytes(about: &Metadata) -> u64 {
    // In a unit independent of the file system: see stat(3type).
    about.blocks() * 512
}

/// A file in memory without a path, which disappears when the last process that has it open ends.
/// On systems without such, an unlinked file in a directory.
pub(crate) fn unnamed_file(directory: &Path) -> io::Result<File> {
    if let Ok(file) = memory_file() {
        return Ok(file);
    }
    let path = directory.join(format!("{}.tasks", std::process::id()));
    // A leftover of a dead process, or a link that must not be followed.
    drop(std::fs::remove_file(&path));
    let file = private_file().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

/// Identifies a file, even after a rename: by device, inode and creation time, because inodes are
/// reused.
pub(crate) fn identity(file: &File) -> [u64; 3] {
    file.metadata().map_or([0; 3], |about| [about.dev(), about.ino(), born(&about)])
}

/// Gives a file that is about to be replaced another name.
pub(crate) fn set_aside(path: &Path, aside: &Path) -> io::Result<()> {
    std::fs::hard_link(path, aside).or_else(|_| std::fs::rename(path, aside))
}

/// Renames a file, over another one if there is one.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// Options to create a file that only this user may read.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

//! The files that make up a log.

use std::collections::VecDeque;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use crate::log::file::{KEPT, REMAINS, aged};
use crate::platform;

/// Bytes read at once.
pub(super) const CHUNK_BYTES: usize = 64 << 10;

/// The files of a log, oldest first, ending with the current one. The excerpt of deleted files
/// comes first of all, unless it was read already.
pub(super) fn generations(path: &Path, with_remains: bool) -> io::Result<VecDeque<File>> {
    let oldest = if with_remains { REMAINS } else { KEPT };
    loop {
        let mut files = VecDeque::from([open(path)?]);
        // Opened from young to old: a rotation meanwhile may show a file twice, but hides none.
        for age in 1..=oldest {
            let Ok(file) = open(&aged(path, age)) else { continue };
            if platform::identity(&file) != platform::identity(&files[0]) {
                files.push_front(file);
            }
        }
        if platform::is_file_at(&files[files.len() - 1], path) {
            return Ok(files);
        }
    }
}

/// Opens a file of a log. Reading a pipe, a terminal or a device could block or never end.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let check = |about: Metadata| match about.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is not a regular file and cannot be read back")),
    };
    // Checked before opening as well: opening a FIFO may block.
    check(fs::metadata(path)?)?;
    let file = File::open(path)?;
    check(file.metadata()?).map(|()| file)
}

/// Whether a file was modified after another one.
pub(super) fn written_after(file: &File, other: &File) -> bool {
    let moment = |file: &File| -> Option<SystemTime> { file.metadata().ok()?.modified().ok() };
    moment(file) > moment(other)
}

/// Appends up to `limit` bytes of a file from `offset` on.
pub(super) fn read_at(
    file: &mut File,
    offset: u64,
    limit: u64,
    text: &mut Vec<u8>,
) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    file.take(limit).read_to_end(text)
}

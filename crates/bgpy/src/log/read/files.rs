//! The files that a log consists of.

use std::collections::VecDeque;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use crate::log::file::{KEPT, REMAINS, aged};
use crate::platform;

/// Bytes that are read at once.
pub(super) const CHUNK_BYTES: usize = 64 << 10;

/// The files of a log, oldest first, the one that is written last. Before the oldest comes what is kept of
/// those that are gone, unless somebody has read them.
pub(super) fn generations(path: &Path, with_remains: bool) -> io::Result<VecDeque<File>> {
    let oldest = if with_remains { REMAINS } else { KEPT };
    loop {
        let mut files = VecDeque::from([open(path)?]);
        // While files grow older, one that is opened in this order may be found twice, but none is
        // missed.
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

/// Opens a file of a log. To read a pipe, a terminal or a device would be to wait for its writer, or to
/// read for ever.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let check = |about: Metadata| match about.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is not a regular file and cannot be read back")),
    };
    // Even to open a FIFO may be to wait.
    check(fs::metadata(path)?)?;
    let file = File::open(path)?;
    check(file.metadata()?).map(|()| file)
}

/// Whether a file was last written after another one.
pub(super) fn written_after(file: &File, other: &File) -> bool {
    let moment = |file: &File| -> Option<SystemTime> { file.metadata().ok()?.modified().ok() };
    moment(file) > moment(other)
}

/// Appends so many bytes of a file from an offset on, or as many as there are.
pub(super) fn read_at(
    file: &mut File,
    offset: u64,
    limit: u64,
    text: &mut Vec<u8>,
) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    file.take(limit).read_to_end(text)
}

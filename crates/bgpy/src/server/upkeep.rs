//! What a server does from time to time, whether or not it is called: it sees to its log, and to being
//! found.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::reactor::Shared;
use super::record::Record;
use crate::journal::Journal;
use crate::sync::lock;

/// How often it is looked whether the server's files are there.
const FILES_LOOK: Duration = Duration::from_secs(1);

/// The files by which others find the server.
#[derive(Debug)]
pub(super) struct Upkeep {
    files: Vec<PathBuf>,
    looked: Mutex<Instant>,
    /// Whether the entry could not be written yet.
    is_unwritten: AtomicBool,
}

impl Upkeep {
    pub(super) fn of(record: &Record) -> Self {
        let is_unwritten = AtomicBool::new(record.is_unwritten);
        Self { files: record.files(), looked: Mutex::new(Instant::now()), is_unwritten }
    }

    /// Whether it is time to look, and one of the files is gone, or not written yet.
    fn misses_files(&self) -> bool {
        let mut looked = lock(&self.looked);
        if looked.elapsed() < FILES_LOOK {
            return false;
        }
        *looked = Instant::now();
        let is_gone = |path: &PathBuf| {
            path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
        };
        self.is_unwritten.load(Ordering::Relaxed) || self.files.iter().any(is_gone)
    }
}

impl Shared {
    /// Rotates a log that has grown large, and puts back files that somebody else has removed: some
    /// directories are emptied from time to time, or when their user logs out.
    pub(super) fn keep_up(&self, journal: &Journal) {
        journal.rotate_if_large();
        // Looked at with nothing locked, because a file system may take its time.
        if self.upkeep.misses_files() {
            let is_written = self.core.lock().restore_files();
            let was_unwritten = self.upkeep.is_unwritten.swap(!is_written, Ordering::Relaxed);
            if was_unwritten && is_written {
                journal.info("the entry in the registry is written now");
            }
            journal.reopen_if_gone();
        }
    }
}

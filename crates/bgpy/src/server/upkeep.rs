//! What a server does from time to time, whether or not it is called: it sees to its log, to being found, and
//! to clients that are gone.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::reactor::Shared;
use super::record::Record;
use crate::journal::Journal;
use crate::platform::Stamp;
use crate::sync::lock;

/// How often it is looked whether the server's files are there.
const FILES_LOOK: Duration = Duration::from_secs(1);

/// The files by which others find the server.
#[derive(Debug)]
pub(super) struct Upkeep {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    files: Vec<Kept>,
    looked: Instant,
}

/// A file that has to be where it is.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) path: PathBuf,
    /// What tells it from anything else in its place, unless anything will do.
    pub(super) stamp: Option<Stamp>,
}

impl Kept {
    fn is_in_place(&self) -> bool {
        match Stamp::at(&self.path) {
            Ok(found) => self.stamp.is_none_or(|stamp| stamp == found),
            // What cannot be looked at cannot be put back either.
            Err(error) => error.kind() != ErrorKind::NotFound,
        }
    }
}

impl Upkeep {
    pub(super) fn of(record: &Record) -> Self {
        let state = State { files: record.files(), looked: Instant::now() };
        Self { state: Mutex::new(state) }
    }

    /// Whether it is time to look, and one of the files is gone or another.
    fn misses_files(&self) -> bool {
        let mut state = lock(&self.state);
        if state.looked.elapsed() < FILES_LOOK {
            return false;
        }
        state.looked = Instant::now();
        !state.files.iter().all(Kept::is_in_place)
    }

    /// Takes what the files are from now on.
    fn keep(&self, files: Vec<Kept>) {
        lock(&self.state).files = files;
    }
}

impl Shared {
    /// Rotates a log that has grown large, says what it lacks, gives up clients that have vanished, and puts back
    /// files that somebody else has removed or replaced: some directories are emptied from time to time, or when
    /// their user logs out.
    pub(super) fn keep_up(&self, journal: &Journal) {
        journal.rotate_if_large();
        journal.tell_losses();
        self.leave_vanished();
        // Looked at with nothing locked, because a file system may take its time.
        if self.upkeep.misses_files() {
            let files = self.core.lock().restore_files();
            self.upkeep.keep(files);
            journal.reopen_if_gone();
        }
    }
}

//! Periodic checks that the files of a server are in place.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::record::{Kept, Record};
use crate::sync::lock;

/// How often the server's files are checked.
const FILES_LOOK: Duration = Duration::from_secs(1);

/// The files by which clients find the server.
#[derive(Debug)]
pub(super) struct KeptFiles {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    files: Vec<Kept>,
    looked: Instant,
}

impl KeptFiles {
    pub(super) fn of(record: &Record) -> Self {
        let state = State { files: record.files(), looked: Instant::now() };
        Self { state: Mutex::new(state) }
    }

    /// Whether a check is due and a file is missing or was replaced.
    pub(super) fn misses_files(&self) -> bool {
        let mut state = lock(&self.state);
        if state.looked.elapsed() < FILES_LOOK {
            return false;
        }
        state.looked = Instant::now();
        !state.files.iter().all(Kept::is_in_place)
    }

    /// Replaces the list of files to check.
    pub(super) fn keep(&self, files: Vec<Kept>) {
        lock(&self.state).files = files;
    }
}

//! Periodic checks that the files of a server are in place.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::{RegisteredFile, Registration};
use crate::sync::lock;

/// How often the server's files are checked.
const FILES_LOOK: Duration = Duration::from_secs(1);

/// The files by which clients find the server.
#[derive(Debug)]
pub(crate) struct FileCheck {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    files: Vec<RegisteredFile>,
    looked: Instant,
}

impl FileCheck {
    pub(crate) fn of(registration: &Registration) -> Self {
        let state = State { files: registration.files(), looked: Instant::now() };
        Self { state: Mutex::new(state) }
    }

    /// Whether a check is due and a file is missing or was replaced.
    pub(crate) fn misses_files(&self) -> bool {
        let mut state = lock(&self.state);
        if state.looked.elapsed() < FILES_LOOK {
            return false;
        }
        state.looked = Instant::now();
        !state.files.iter().all(RegisteredFile::is_in_place)
    }

    /// Replaces the list of files to check.
    pub(crate) fn keep(&self, files: Vec<RegisteredFile>) {
        lock(&self.state).files = files;
    }
}

//! The file of a log, and its rotated predecessors.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::excerpt::Excerpt;
use super::writer::{Loss, Output, Writer};
use crate::platform::{self, Private};

/// Size at which a log file is rotated, in bytes.
const ROTATE_BYTES: u64 = 10 << 20;

/// Number of rotated files kept in addition to the current one.
pub(crate) const KEPT: u32 = 5;

/// The age of the file with the excerpt of deleted files.
pub(crate) const REMAINS: u32 = KEPT + 1;

#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: Private<File>,
    /// Whether the process's standard output and error go to this file too.
    is_output: bool,
    /// Whether the file could not be opened yet, and a device that discards everything is open
    /// instead.
    is_missing: bool,
    loss: Loss,
    /// The excerpt of deleted files that could not be written yet.
    unwritten: Option<Vec<u8>>,
    /// Writes to anything but a regular file, which may block.
    pub(super) writer: Option<Writer>,
}

impl LogFile {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let file = Private::new(platform::append(&path)?);
        // Not every device can be examined.
        let writer = if file.metadata().is_ok_and(|about| about.is_file()) {
            None
        } else {
            Some(Writer::new(Output::File(Private::new(file.try_clone()?))))
        };
        let (is_output, is_missing, loss, unwritten) = (false, false, Loss::default(), None);
        Ok(Self { path, file, is_output, is_missing, loss, unwritten, writer })
    }

    pub(super) fn missing(path: PathBuf) -> io::Result<Self> {
        Ok(Self { path, is_missing: true, ..Self::open(platform::NOWHERE.into())? })
    }

    /// Redirects the process's standard output and error to this file.
    pub(super) fn take_output(&mut self) -> io::Result<()> {
        platform::redirect_output(&self.file)?;
        self.is_output = true;
        Ok(())
    }

    /// Creates the file again if it was removed.
    pub(super) fn reopen_if_gone(&mut self) {
        if !self.path.exists()
            && let Ok(file) = platform::append(&self.path)
        {
            self.file = Private::new(file);
            self.redirect_output();
        }
    }

    /// Records and printed lines missing in this file, if it is the process's standard output.
    pub(super) fn loss_of_output(&mut self) -> Option<(&mut Loss, &File)> {
        self.find();
        (self.is_output && !self.is_missing).then(|| (&mut self.loss, &*self.file))
    }

    fn redirect_output(&self) {
        if self.is_output {
            drop(platform::redirect_output(&self.file));
        }
    }

    /// Opens the file if it could not be opened before.
    pub(super) fn find(&mut self) {
        if !self.is_missing {
            return;
        }
        let Ok(found) = Self::open(self.path.clone()) else { return };
        (self.file, self.writer, self.is_missing) = (found.file, found.writer, false);
        self.redirect_output();
    }

    pub(super) fn write(&mut self, record: String) {
        self.find();
        if self.is_missing {
            return self.loss.count();
        }
        if let Some(writer) = &self.writer {
            return writer.push(record);
        }
        // A task may have closed the descriptor, and its number may be in use for another file.
        if !self.file.is_intact()
            && let Ok(again) = Self::open(self.path.clone())
        {
            let lost = std::mem::replace(&mut self.file, again.file);
            // Forgotten, not dropped: a drop would close the other file.
            std::mem::forget(lost.into_inner());
        }
        self.loss.write(&*self.file, &record);
        self.rotate_if_large();
    }

    pub(super) fn rotate_if_large(&mut self) {
        if self.file.metadata().is_ok_and(|about| about.len() >= ROTATE_BYTES) {
            // If the rotation fails, the log grows, which is better than losing records.
            drop(self.rotate());
        }
        self.keep_remains();
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.find_remains();
        for age in (1..KEPT).rev() {
            let from = aged(&self.path, age);
            if from.exists() {
                fs::rename(from, aged(&self.path, age + 1))?;
            }
        }
        // Renamed over the old file in one step where that can be, so that the path always leads to a
        // file.
        let next = next_to(&self.path);
        let file = platform::append(&next)?;
        let first = aged(&self.path, 1);
        drop(fs::remove_file(&first));
        platform::set_aside(&self.path, &first)?;
        fs::rename(&next, &self.path)?;
        self.file = Private::new(file);
        if self.is_output {
            platform::redirect_output(&self.file)?;
        }
        Ok(())
    }

    /// Extracts what to keep of the oldest file, which is about to be deleted.
    fn find_remains(&mut self) {
        let oldest = aged(&self.path, KEPT);
        if !oldest.exists() {
            return;
        }
        let mut remains = Excerpt::default();
        match &self.unwritten {
            Some(text) => drop(remains.look(&text[..])),
            None => remains.look_in(&aged(&self.path, REMAINS)),
        }
        remains.look_in(&oldest);
        self.unwritten = Some(remains.text()).filter(|text| !text.is_empty());
    }

    /// Writes the excerpt as soon as the disk allows. A reader sees no line twice meanwhile.
    fn keep_remains(&mut self) {
        let Some(text) = &self.unwritten else { return };
        let (next, place) = (next_to(&self.path), aged(&self.path, REMAINS));
        // Removed first, so that no link at the path is followed.
        drop(fs::remove_file(&next));
        let write = || File::create_new(&next)?.write_all(text);
        if write().and_then(|()| fs::rename(&next, place)).is_ok() {
            self.unwritten = None;
        } else {
            drop(fs::remove_file(next));
        }
    }
}

/// The path for a new file that is then renamed over `path`.
fn next_to(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".next");
    name.into()
}

/// The name of a rotated file: `server.log.1` is the youngest.
pub(crate) fn aged(path: &Path, age: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{age}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Level, Log};

    #[test]
    fn appends_filters_and_rotates() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.log");
        fs::write(&path, "from before\n").unwrap();
        let log = Log::file(Level::Info, &path).unwrap();
        log.debug("not this");
        log.info("this");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("from before\n") && text.ends_with("this\n"), "{text}");
        assert!(!text.contains("not this"));
        for round in 0..8 {
            log.info("x".repeat(ROTATE_BYTES as usize));
            assert_eq!(fs::metadata(&path).unwrap().len(), 0, "round {round}");
        }
        assert!(aged(&path, KEPT).exists() && !aged(&path, KEPT + 1).exists());
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_opened_later() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logs/server.log");
        assert!(Log::file(Level::Info, &path).is_err());
        let log = Log::file_now_or_later(Level::Info, &path).unwrap();
        log.info("first");
        log.info("second");
        fs::create_dir(directory.path().join("logs")).unwrap();
        log.info("third");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("2 records were lost here") && text.ends_with("third\n"), "{text}");
        assert_eq!(text.lines().count(), 2);
    }
}

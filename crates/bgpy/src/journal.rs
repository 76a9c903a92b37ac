//! The log of a server or a client: leveled lines with time and zone, rotated by size.

mod level;

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use crate::escape;
use crate::platform::{self, Private};
use crate::sync::PerProcess;
use crate::writer::{Loss, Output, Writer};

pub use level::Level;

/// Size at which a log file is rotated, in bytes.
const ROTATE_BYTES: u64 = 10 << 20;

/// Number of rotated files that are kept beside the current one.
pub(crate) const KEPT: u32 = 5;

/// How long the last words of a process wait for a reader.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What the lines of a record begin with behind its first, so that none can pass for a record.
const CONTINUED: &str = "    ";

/// Bytes of the moment that a record begins with.
const STAMP_BYTES: usize = "2026-01-01T00:00:00.000+00:00".len();

/// A log. Clones write to the same place.
#[derive(Debug, Clone)]
pub struct Journal {
    level: Level,
    /// Where a process that has no sink yet opens one: a child that was forked.
    place: Place,
    sink: Arc<PerProcess<Sink>>,
}

#[derive(Debug, Clone)]
enum Place {
    Nowhere,
    Stderr,
    File(Arc<Path>),
}

#[derive(Debug)]
enum Sink {
    Nowhere,
    Stderr(Loss),
    File(LogFile),
    /// Standard error that may take nothing.
    Queue(Writer),
}

#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    file: Private<File>,
    /// Whether standard output and error of the process are this file too.
    is_output: bool,
    /// Whether it could not be opened yet, and something that forgets everything is in its place.
    is_missing: bool,
    loss: Loss,
    /// What writes, where the file is none that takes everything at once.
    writer: Option<Writer>,
}

impl Journal {
    /// Writes nothing.
    pub fn silent() -> Self {
        Self::new(Level::Critical, Place::Nowhere, Sink::Nowhere)
    }

    /// Writes to standard error.
    pub fn stderr(level: Level) -> Self {
        let takes_everything = platform::stderr_is_file();
        let sink = if takes_everything {
            Sink::Stderr(Loss::default())
        } else {
            Sink::Queue(Writer::new(Output::Stderr))
        };
        Self::new(level, Place::Stderr, sink)
    }

    /// Appends to a file, which is created when it is missing and rotated when it is large.
    ///
    /// # Errors
    /// What the operating system says when the file cannot be opened for writing.
    pub fn file(level: Level, path: &Path) -> io::Result<Self> {
        // The working directory may change later.
        let path = std::path::absolute(path)?;
        let place = Place::File(path.as_path().into());
        Ok(Self::new(level, place, Sink::File(LogFile::open(path)?)))
    }

    /// As [`file`](Self::file), but a file that cannot be opened now is opened as soon as it can be. What it
    /// lacks until then is counted.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn file_now_or_later(level: Level, path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let place = Place::File(path.as_path().into());
        let log = LogFile::open(path.clone()).or_else(|_| LogFile::missing(path))?;
        Ok(Self::new(level, place, Sink::File(log)))
    }

    /// Makes the file of this log the process's standard output and error, so that prints and
    /// the last words of a crash stand in it too. Without a file it does nothing.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn take_output(&self) -> io::Result<()> {
        if let Sink::File(log) = &mut *self.sink() {
            platform::redirect_output(&log.file)?;
            log.is_output = true;
        }
        Ok(())
    }

    /// The file that is written to, if it is one.
    pub fn path(&self) -> Option<PathBuf> {
        match &self.place {
            Place::File(path) => Some(path.to_path_buf()),
            _ => None,
        }
    }

    /// Rotates the file when it has grown large, or opens it if it could not be opened yet. Prints go past this log, so whoever owns it calls
    /// this from time to time.
    pub fn rotate_if_large(&self) {
        if let Sink::File(log) = &mut *self.sink() {
            log.find();
            log.rotate_if_large();
        }
    }

    /// Makes the file anew if it was removed, so that what is written next can be read.
    pub fn reopen_if_gone(&self) {
        if let Sink::File(log) = &mut *self.sink()
            && !log.path.exists()
            && let Ok(file) = platform::append(&log.path)
        {
            log.file = Private::new(file);
            if log.is_output {
                drop(platform::redirect_output(&log.file));
            }
        }
    }

    /// Writes a line for finding faults.
    pub fn debug(&self, text: impl fmt::Display) {
        self.write(Level::Debug, text);
    }

    /// Writes a line about what happens.
    pub fn info(&self, text: impl fmt::Display) {
        self.write(Level::Info, text);
    }

    /// Writes a warning.
    pub fn warning(&self, text: impl fmt::Display) {
        self.write(Level::Warning, text);
    }

    /// Writes an error.
    pub fn error(&self, text: impl fmt::Display) {
        self.write(Level::Error, text);
    }

    /// Writes what ends the process, and waits until it is read, for a moment at most.
    pub fn critical(&self, text: impl fmt::Display) {
        self.write_to_end(Level::Critical, text);
    }

    /// Waits until everything is written, for a moment at most: the process is about to end.
    pub fn finish(&self) {
        let writer = match &*self.sink() {
            Sink::Queue(writer) => Some(writer.clone()),
            Sink::File(log) => log.writer.clone(),
            Sink::Nowhere | Sink::Stderr(_) => None,
        };
        if let Some(writer) = writer {
            writer.drain(LAST_WORDS);
        }
    }

    /// Writes a record of somebody who may say no more here, and waits until it is read where it matters.
    pub(crate) fn write_to_end(&self, level: Level, text: impl fmt::Display) {
        self.write(level, text);
        if level == Level::Critical {
            self.finish();
        }
    }

    /// Writes one record, which keeps nobody waiting. A log that cannot be written must not stop the
    /// server: the records that it lacks are counted.
    pub fn write(&self, level: Level, text: impl fmt::Display) {
        if level < self.level {
            return;
        }
        let mut sink = self.sink();
        if matches!(*sink, Sink::Nowhere) {
            return;
        }
        let record = record(level, text);
        match &mut *sink {
            Sink::Nowhere => {}
            Sink::Stderr(loss) => loss.write(&Output::Stderr, &record),
            Sink::Queue(writer) => writer.push(record),
            Sink::File(log) => log.write(record),
        }
    }

    fn new(level: Level, place: Place, sink: Sink) -> Self {
        Self { level, place, sink: Arc::new(PerProcess::new(sink)) }
    }

    fn sink(&self) -> MutexGuard<'_, Sink> {
        self.sink.lock(|| match &self.place {
            Place::Nowhere => Sink::Nowhere,
            // A child serves no clients, and so keeps none waiting.
            Place::Stderr => Sink::Stderr(Loss::default()),
            Place::File(path) => {
                LogFile::open(path.to_path_buf()).map_or(Sink::Nowhere, Sink::File)
            }
        })
    }
}

impl LogFile {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = Private::new(platform::append(&path)?);
        let writer = if file.metadata()?.is_file() {
            None
        } else {
            Some(Writer::new(Output::File(Private::new(file.try_clone()?))))
        };
        let (is_output, is_missing, loss) = (false, false, Loss::default());
        Ok(Self { path, file, is_output, is_missing, loss, writer })
    }

    fn missing(path: PathBuf) -> io::Result<Self> {
        Ok(Self { path, is_missing: true, ..Self::open(platform::NOWHERE.into())? })
    }

    /// Opens the file if it could not be opened before.
    fn find(&mut self) {
        if !self.is_missing {
            return;
        }
        let Ok(found) = Self::open(self.path.clone()) else { return };
        (self.file, self.writer, self.is_missing) = (found.file, found.writer, false);
        if self.is_output {
            drop(platform::redirect_output(&self.file));
        }
    }

    fn write(&mut self, record: String) {
        self.find();
        if self.is_missing {
            return self.loss.count();
        }
        if let Some(writer) = &self.writer {
            return writer.push(record);
        }
        // A task may have closed the descriptor, and something else may have its number.
        if !self.file.is_intact()
            && let Ok(again) = Self::open(self.path.clone())
        {
            let lost = std::mem::replace(&mut self.file, again.file);
            // Not dropped, which would close what is somebody else's.
            std::mem::forget(lost.into_inner());
        }
        self.loss.write(&*self.file, &record);
        self.rotate_if_large();
    }

    fn rotate_if_large(&mut self) {
        if self.file.metadata().is_ok_and(|about| about.len() >= ROTATE_BYTES) {
            // A rotation that fails leaves the log growing, which is better than losing it.
            drop(self.rotate());
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        for age in (1..KEPT).rev() {
            let from = aged(&self.path, age);
            if from.exists() {
                fs::rename(from, aged(&self.path, age + 1))?;
            }
        }
        // The new file takes the old one's place in one step, so that there is always one.
        let mut next = self.path.as_os_str().to_owned();
        next.push(".next");
        let file = platform::append(Path::new(&next))?;
        let first = aged(&self.path, 1);
        drop(fs::remove_file(&first));
        if fs::hard_link(&self.path, &first).is_err() {
            fs::rename(&self.path, &first)?;
        }
        fs::rename(&next, &self.path)?;
        self.file = Private::new(file);
        if self.is_output {
            platform::redirect_output(&self.file)?;
        }
        Ok(())
    }
}

/// One record. What it tells may be the words of others: they can neither do anything to a terminal,
/// nor add a record.
pub(crate) fn record(level: Level, text: impl fmt::Display) -> String {
    let (now, id) = (shown(&jiff::Zoned::now()), std::process::id());
    let text = text.to_string();
    let lines = escape::text(text.trim_end()).replace('\n', &format!("\n{CONTINUED}"));
    format!("{now} {level:<8} [{id}] {lines}\n")
}

/// A moment as logs show it, given in milliseconds since 1970 UTC, with the zone of this machine.
pub fn time(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    shown(&moment.to_zoned(jiff::tz::TimeZone::system()))
}

/// Reads a moment, as in `2026-01-31T12:00:00Z`, or how long ago it was, as in `10m` or `2h 30m`, and
/// returns it in milliseconds since 1970 UTC.
///
/// # Errors
/// A text that says what would do.
pub fn when(text: &str) -> Result<i64, String> {
    let now = jiff::Zoned::now();
    let ago = || now.checked_sub(text.parse::<jiff::Span>().ok()?.abs()).ok();
    let moment = || text.parse::<jiff::Timestamp>().ok();
    let local =
        || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(now.time_zone().clone()).ok();
    let found = moment().or_else(|| ago().map(|then| then.timestamp()));
    let found = found.or_else(|| local().map(|then| then.timestamp()));
    found.map(jiff::Timestamp::as_millisecond).ok_or_else(|| {
        "give a moment as in 2026-01-31T12:00:00Z, or how long ago as in 10m or 2h".into()
    })
}

/// The moment that a record begins with, in milliseconds since 1970 UTC; none for other lines.
pub(crate) fn moment(line: &[u8]) -> Option<i64> {
    let word = line.split(|byte| *byte == b' ').next()?;
    let text = std::str::from_utf8(word).ok().filter(|text| text.len() == STAMP_BYTES)?;
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

fn shown(moment: &jiff::Zoned) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
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

    #[test]
    fn appends_filters_and_rotates() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.log");
        fs::write(&path, "from before\n").unwrap();
        let journal = Journal::file(Level::Info, &path).unwrap();
        journal.debug("not this");
        journal.info("this");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("from before\n") && text.ends_with("this\n"), "{text}");
        assert!(!text.contains("not this"));
        for round in 0..8 {
            journal.info("x".repeat(ROTATE_BYTES as usize));
            assert_eq!(fs::metadata(&path).unwrap().len(), 0, "round {round}");
        }
        assert!(aged(&path, KEPT).exists() && !aged(&path, KEPT + 1).exists());
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_opened_later() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logs/server.log");
        assert!(Journal::file(Level::Info, &path).is_err());
        let journal = Journal::file_now_or_later(Level::Info, &path).unwrap();
        journal.info("first");
        journal.info("second");
        fs::create_dir(directory.path().join("logs")).unwrap();
        journal.info("third");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("2 records were lost here") && text.ends_with("third\n"), "{text}");
        assert_eq!(text.lines().count(), 2);
    }
}

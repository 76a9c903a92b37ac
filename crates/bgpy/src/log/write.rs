//! Writing a log.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use super::file::LogFile;
use super::level::Level;
use super::record::record;
use super::writer::{Loss, Output, Writer};
use crate::fork::PerProcess;
use crate::platform;

/// How long the last words of a process wait for a reader.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A log. Clones write to the same place.
#[derive(Debug, Clone)]
pub struct Log {
    level: Level,
    /// Where a process that has no sink yet opens one: a child that was forked.
    destination: Destination,
    sink: Arc<PerProcess<Sink>>,
    /// What was printed and is in no log of this: of standard output, and of standard error.
    printed: Arc<PerProcess<[Loss; 2]>>,
}

/// Where tasks print.
#[derive(Debug, Clone, Copy)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

#[derive(Debug, Clone)]
enum Destination {
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

impl Log {
    /// Writes nothing.
    pub fn silent() -> Self {
        Self::new(Level::Critical, Destination::Nowhere, Sink::Nowhere)
    }

    /// Writes to standard error.
    pub fn stderr(level: Level) -> Self {
        let takes_everything = platform::stderr_is_file();
        let sink = if takes_everything {
            Sink::Stderr(Loss::default())
        } else {
            Sink::Queue(Writer::new(Output::Stderr))
        };
        Self::new(level, Destination::Stderr, sink)
    }

    /// Appends to a file, which is created when it is missing and rotated when it is large.
    ///
    /// # Errors
    /// What the operating system says when the file cannot be opened for writing.
    pub fn file(level: Level, path: &Path) -> io::Result<Self> {
        // The working directory may change later.
        let path = std::path::absolute(path)?;
        let place = Destination::File(path.as_path().into());
        Ok(Self::new(level, place, Sink::File(LogFile::open(path)?)))
    }

    /// As [`file`](Self::file), but a file that cannot be opened now is opened as soon as it can be. What it
    /// lacks until then is counted.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn file_now_or_later(level: Level, path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let place = Destination::File(path.as_path().into());
        let log = LogFile::open(path.clone()).or_else(|_| LogFile::missing(path))?;
        Ok(Self::new(level, place, Sink::File(log)))
    }

    /// Makes the file of this log the process's standard output and error, so that prints and
    /// the last words of a crash stand in it too. Without a file it does nothing.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn take_output(&self) -> io::Result<()> {
        match &mut *self.sink() {
            Sink::File(log) => log.take_output(),
            _ => Ok(()),
        }
    }

    /// The file that is written to, if it is one.
    pub fn path(&self) -> Option<PathBuf> {
        match &self.destination {
            Destination::File(path) => Some(path.to_path_buf()),
            _ => None,
        }
    }

    /// Rotates the file when it has grown large, or opens it if it could not be opened yet. Prints go past
    /// this log, so whoever owns it calls this from time to time.
    pub fn rotate_if_large(&self) {
        if let Sink::File(log) = &mut *self.sink() {
            log.find();
            log.rotate_if_large();
        }
    }

    /// Counts lines that a task has printed and that could not be written, and whether the first of them
    /// has begun.
    pub fn lose_lines(&self, stream: Stream, lines: u64, is_torn: bool, why: &str) {
        let why = Some(why.to_owned()).filter(|why| !why.is_empty());
        self.with_loss(stream, |loss, _| loss.count_lines(lines, is_torn, why));
    }

    /// Says there how much was lost, if anything was; `false` while that cannot be written either.
    pub fn tell_loss(&self, stream: Stream) -> bool {
        self.with_loss(stream, |loss, output| loss.tell(output))
    }

    /// Does something with what was lost of a stream, and with where that is told.
    fn with_loss<T>(
        &self,
        stream: Stream,
        act: impl FnOnce(&mut Loss, &mut dyn io::Write) -> T,
    ) -> T {
        if let Sink::File(log) = &mut *self.sink()
            && let Some((loss, mut file)) = log.loss_of_output()
        {
            return act(loss, &mut file);
        }
        let mut output = match stream {
            Stream::Output => &Output::Stdout,
            Stream::Error => &Output::Stderr,
        };
        act(&mut self.printed.lock(Default::default)[stream as usize], &mut output)
    }

    /// Says what was lost, where that can be written by now, even if nobody prints anything more.
    pub fn tell_losses(&self) {
        for stream in [Stream::Output, Stream::Error] {
            self.tell_loss(stream);
        }
    }

    /// Makes the file anew if it was removed, so that what is written next can be read.
    pub fn reopen_if_gone(&self) {
        if let Sink::File(log) = &mut *self.sink() {
            log.reopen_if_gone();
        }
    }

    /// Whether records of this level are written.
    pub fn takes(&self, level: Level) -> bool {
        level >= self.level
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
        if !self.takes(level) {
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

    fn new(level: Level, destination: Destination, sink: Sink) -> Self {
        let (sink, printed) = (PerProcess::new(sink), PerProcess::new(Default::default()));
        Self { level, destination, sink: Arc::new(sink), printed: Arc::new(printed) }
    }

    fn sink(&self) -> MutexGuard<'_, Sink> {
        self.sink.lock(|| match &self.destination {
            Destination::Nowhere => Sink::Nowhere,
            // A child serves no clients, and so keeps none waiting.
            Destination::Stderr => Sink::Stderr(Loss::default()),
            Destination::File(path) => {
                LogFile::open(path.to_path_buf()).map_or(Sink::Nowhere, Sink::File)
            }
        })
    }
}

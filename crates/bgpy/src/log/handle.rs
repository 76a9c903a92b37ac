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

/// How long an ending process waits for its last records to be read.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A handle to a log. Clones write to the same place.
#[derive(Debug, Clone)]
pub struct Log {
    level: Level,
    /// Where a process without a sink, such as a forked child, opens one.
    destination: Destination,
    sink: Arc<PerProcess<Sink>>,
    /// Lost output of tasks that went past this log: of standard output, and of standard error.
    printed: Arc<PerProcess<[Loss; 2]>>,
}

/// A stream that tasks print to.
#[derive(Debug, Clone, Copy)]
pub enum StandardStream {
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
    /// Standard error, if writes to it may block.
    Queue(Writer),
}

impl Log {
    /// A log that discards everything.
    pub fn silent() -> Self {
        Self::new(Level::Critical, Destination::Nowhere, Sink::Nowhere)
    }

    /// A log to standard error.
    pub fn stderr(level: Level) -> Self {
        let takes_everything = platform::stderr_is_file();
        let sink = if takes_everything {
            Sink::Stderr(Loss::default())
        } else {
            Sink::Queue(Writer::new(Output::Stderr))
        };
        Self::new(level, Destination::Stderr, sink)
    }

    /// A log to a file, which is created if it is missing and rotated when it is large.
    ///
    /// # Errors
    /// The system's error if the file cannot be opened for writing.
    pub fn file(level: Level, path: &Path) -> io::Result<Self> {
        // The working directory may change later.
        let path = std::path::absolute(path)?;
        let place = Destination::File(path.as_path().into());
        Ok(Self::new(level, place, Sink::File(LogFile::open(path)?)))
    }

    /// Like [`file`](Self::file), but a file that cannot be opened now is opened as soon as
    /// possible. Records until then are lost and counted.
    ///
    /// # Errors
    /// If the process is out of descriptors.
    #[doc(hidden)]
    pub fn file_now_or_later(level: Level, path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let place = Destination::File(path.as_path().into());
        let log = LogFile::open(path.clone()).or_else(|_| LogFile::missing(path))?;
        Ok(Self::new(level, place, Sink::File(log)))
    }

    /// Redirects the process's standard output and error to the file of this log, so that it also
    /// has printed output and crash messages. Does nothing without a file.
    ///
    /// # Errors
    /// The system's error.
    #[doc(hidden)]
    pub fn take_output(&self) -> io::Result<()> {
        match &mut *self.sink() {
            Sink::File(log) => log.take_output(),
            _ => Ok(()),
        }
    }

    /// The path of the file, if the log goes to one.
    pub fn path(&self) -> Option<PathBuf> {
        match &self.destination {
            Destination::File(path) => Some(path.to_path_buf()),
            _ => None,
        }
    }

    /// Rotates the file if it is large, or opens it if that was not possible before. Printed output
    /// bypasses this log, so its owner calls this periodically.
    pub(crate) fn rotate_if_large(&self) {
        if let Sink::File(log) = &mut *self.sink() {
            log.find();
            log.rotate_if_large();
        }
    }

    /// Counts lines printed by a task that could not be written, and whether the first of them was
    /// written in part.
    #[doc(hidden)]
    pub fn lose_lines(&self, stream: StandardStream, lines: u64, is_torn: bool, why: &str) {
        let why = Some(why.to_owned()).filter(|why| !why.is_empty());
        self.with_loss(stream, |loss, _| loss.count_lines(lines, is_torn, why));
    }

    /// Reports there how much was lost, if anything was; `false` if that cannot be written either.
    #[doc(hidden)]
    pub fn tell_loss(&self, stream: StandardStream) -> bool {
        self.with_loss(stream, |loss, output| loss.tell(output))
    }

    /// Runs `act` with the losses of a stream and the place to report them.
    fn with_loss<T>(
        &self,
        stream: StandardStream,
        act: impl FnOnce(&mut Loss, &mut dyn io::Write) -> T,
    ) -> T {
        if let Sink::File(log) = &mut *self.sink()
            && let Some((loss, mut file)) = log.loss_of_output()
        {
            return act(loss, &mut file);
        }
        let mut output = match stream {
            StandardStream::Output => &Output::Stdout,
            StandardStream::Error => &Output::Stderr,
        };
        act(&mut self.printed.lock(Default::default)[stream as usize], &mut output)
    }

    /// Reports losses where that can be written by now, even if nothing more is printed.
    pub(crate) fn tell_losses(&self) {
        for stream in [StandardStream::Output, StandardStream::Error] {
            self.tell_loss(stream);
        }
    }

    /// Creates the file again if it was removed, so that the next records can be read.
    pub(crate) fn reopen_if_gone(&self) {
        if let Sink::File(log) = &mut *self.sink() {
            log.reopen_if_gone();
        }
    }

    /// Whether records of this level are written.
    #[doc(hidden)]
    pub fn takes(&self, level: Level) -> bool {
        level >= self.level
    }

    /// Writes a record for debugging.
    pub fn debug(&self, text: impl fmt::Display) {
        self.write(Level::Debug, text);
    }

    /// Writes a record of a regular event.
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

    /// Writes a record about the end of the process, and waits briefly until it is read.
    pub fn critical(&self, text: impl fmt::Display) {
        self.write_to_end(Level::Critical, text);
    }

    /// Waits briefly until everything is written, because the process is about to end.
    #[doc(hidden)]
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

    /// Writes a record that may be the last one from here, and waits until it is read where that
    /// matters.
    pub(crate) fn write_to_end(&self, level: Level, text: impl fmt::Display) {
        self.write(level, text);
        if level == Level::Critical {
            self.finish();
        }
    }

    /// Writes one record without blocking. A log that cannot be written must not stop the server:
    /// lost records are counted.
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
            // A child serves no clients, so it may block.
            Destination::Stderr => Sink::Stderr(Loss::default()),
            Destination::File(path) => {
                LogFile::open(path.to_path_buf()).map_or(Sink::Nowhere, Sink::File)
            }
        })
    }
}

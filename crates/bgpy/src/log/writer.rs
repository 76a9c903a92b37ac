//! How records are written, and what happens to those that cannot be.
//!
//! A regular file is written at once, so that records and output of tasks stay in order. A
//! terminal, a pipe or a FIFO may block for ever, while the logging thread may hold locks that
//! clients wait for: there a thread writes, which lives as long as there is something to write. The
//! logging thread waits for it while it makes progress, and no longer.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::level::Level;
use super::record::record;
use crate::platform::{self, Private};
use crate::sync::lock;

/// Most bytes queued. The newest records are kept, since they tell how the process ended.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// How long `push` waits until its record is written, so that it stays in order with the output that
/// follows. After a timeout, `push` does not wait again until the queue has been empty.
const IN_STEP: Duration = Duration::from_millis(100);

/// How long an idle thread waits for more records before it ends.
const LINGER: Duration = Duration::from_secs(1);

/// Where records go.
#[derive(Debug)]
pub(crate) enum Output {
    /// The process's standard output at the time of the write.
    Stdout,
    /// The process's standard error at the time of the write.
    Stderr,
    File(Private<File>),
}

impl Write for &Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::Stdout => platform::write_stdout(bytes),
            Output::Stderr => platform::write_stderr(bytes),
            Output::File(file) => platform::write(&**file, bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Records and lines lost since the last successful write.
#[derive(Debug, Default)]
pub(crate) struct Loss {
    records: u64,
    /// Lines printed by tasks.
    lines: u64,
    /// The last error of the system.
    why: Option<String>,
    /// Whether the last line was written only in part.
    is_torn: bool,
}

impl Loss {
    /// Writes a record, preceded by a notice of what was lost before it.
    pub(crate) fn write(&mut self, output: impl Write, record: &str) {
        let notice = self.notice();
        // One write per record, so that records of several writers do not mix.
        let whole = if notice.is_empty() { record } else { &format!("{notice}{record}") };
        let written = self.write_some(output, whole.as_bytes());
        if written == whole.len() {
            self.forget();
        } else if written >= notice.len() && written > 0 {
            (self.records, self.lines) = (1, 0);
        } else {
            self.records += 1;
        }
    }

    /// Counts a record that could not be written.
    pub(crate) fn count(&mut self) {
        self.records += 1;
    }

    /// Counts lines that could not be written, and whether the first of them was written in part.
    pub(crate) fn count_lines(&mut self, lines: u64, is_torn: bool, why: Option<String>) {
        self.lines += lines;
        self.is_torn |= is_torn;
        self.why = why.or(self.why.take());
    }

    /// Adds the losses counted elsewhere.
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.count_lines(other.lines, other.is_torn, other.why);
    }

    /// Whether losses are still to be reported.
    pub(crate) fn is_any(&self) -> bool {
        self.records > 0 || self.lines > 0
    }

    /// Reports how much was lost, without a record after it; `false` if that cannot be written
    /// either.
    pub(crate) fn tell(&mut self, output: impl Write) -> bool {
        if self.is_any() {
            let notice = self.notice();
            if self.write_some(output, notice.as_bytes()) == notice.len() {
                self.forget();
            }
        }
        !self.is_any()
    }

    fn forget(&mut self) {
        (self.records, self.lines, self.why) = (0, 0, None);
    }

    /// The notice to write before anything else; often empty.
    fn notice(&self) -> String {
        let torn = if self.is_torn { "\n" } else { "" };
        if !self.is_any() {
            return torn.to_owned();
        }
        let count = |count, one| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{count} {one}s")),
        };
        let counts = [count(self.records, "record"), count(self.lines, "line")];
        let what = counts.into_iter().flatten().collect::<Vec<_>>().join(" and ");
        let were = if self.records + self.lines == 1 { "was" } else { "were" };
        let why = self.why.as_ref().map_or(String::new(), |why| format!(" ({why})"));
        let text = format_args!("{what} {were} lost here: the log could not be written{why}");
        format!("{torn}{}", record(Level::Warning, text))
    }

    /// Writes as much as possible, and returns how much that was.
    fn write_some(&mut self, mut output: impl Write, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match output.write(&bytes[written..]) {
                Ok(count) if count > 0 => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.why = Some(reason(&error));
                    break;
                }
                Ok(_) => break,
            }
        }
        if let Some(last) = bytes[..written].last() {
            self.is_torn = *last != b'\n';
        }
        written
    }
}

/// The text of a system error, without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(&*text, |(words, _)| words).to_owned()
}

/// Writes records without blocking the threads that log.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    output: Output,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<String>,
    bytes: usize,
    loss: Loss,
    /// Number of records queued so far, and of those written or dropped.
    taken: u64,
    done: u64,
    /// Whether a `push` has timed out and the queue has not been empty since.
    is_stalled: bool,
    /// Whether the thread exists.
    is_served: bool,
    /// Whether it is writing.
    is_writing: bool,
}

impl Writer {
    pub(crate) fn new(output: Output) -> Self {
        let (queue, changed) = (Mutex::default(), Condvar::new());
        Self { shared: Arc::new(Shared { output, queue, changed }) }
    }

    /// Queues a record, and drops the oldest ones if too many are queued. Returns when the record
    /// is written, unless the output blocks.
    pub(crate) fn push(&self, record: String) {
        let shared = &self.shared;
        let mut queue = lock(&shared.queue);
        queue.push(record);
        if !queue.is_served {
            let shared = shared.clone();
            let thread = thread::Builder::new().name("bgpy-log".into()).stack_size(128 << 10);
            // If no thread can be started, the records wait for the next `push`.
            queue.is_served = thread.spawn(move || shared.write()).is_ok();
        }
        shared.changed.notify_all();
        if !queue.is_served || queue.is_stalled {
            return;
        }
        let number = queue.taken;
        let (mut queue, waited) = shared
            .changed
            .wait_timeout_while(queue, IN_STEP, |queue| queue.done < number)
            .unwrap_or_else(PoisonError::into_inner);
        queue.is_stalled |= waited.timed_out();
    }

    /// Waits until everything is written, at most for `limit`.
    pub(crate) fn drain(&self, limit: Duration) {
        let is_busy = |queue: &mut Queue| queue.is_writing || !queue.waiting.is_empty();
        let queue = lock(&self.shared.queue);
        drop(self.shared.changed.wait_timeout_while(queue, limit, is_busy));
    }
}

impl Queue {
    fn push(&mut self, record: String) {
        self.taken += 1;
        self.bytes += record.len();
        self.waiting.push_back(record);
        while self.bytes > WAITING_BYTES_MAX && self.waiting.len() > 1 {
            self.pop();
            self.done += 1;
            self.loss.count();
        }
    }

    fn pop(&mut self) -> Option<String> {
        let record = self.waiting.pop_front()?;
        self.bytes -= record.len();
        Some(record)
    }
}

impl Shared {
    /// Writes the queued records, and those that follow soon.
    fn write(&self) {
        let mut queue = lock(&self.queue);
        loop {
            let Some(record) = queue.pop() else {
                let is_idle = |queue: &mut Queue| queue.waiting.is_empty();
                let (left, _) = self
                    .changed
                    .wait_timeout_while(queue, LINGER, is_idle)
                    .unwrap_or_else(PoisonError::into_inner);
                queue = left;
                if queue.waiting.is_empty() {
                    queue.is_served = false;
                    return;
                }
                continue;
            };
            queue.is_writing = true;
            let mut loss = std::mem::take(&mut queue.loss);
            drop(queue);
            loss.write(&self.output, &record);
            queue = lock(&self.queue);
            // Records dropped meanwhile were queued after this one.
            loss.add(std::mem::take(&mut queue.loss));
            (queue.loss, queue.is_writing) = (loss, false);
            queue.done += 1;
            queue.is_stalled &= !queue.waiting.is_empty();
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Accepts a number of bytes and no more.
    struct Disk<'a>(&'a mut Vec<u8>, usize);

    impl Write for Disk<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.1);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.1 -= count;
            self.0.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_full_disk_did_not_take_is_counted() {
        for room in 0.."second\n".len() {
            let (mut text, mut loss) = (Vec::new(), Loss::default());
            loss.write(Disk(&mut text, 100), "first\n");
            loss.write(Disk(&mut text, room), "second\n");
            for full in ["third\n", "fourth\n"] {
                loss.write(Disk(&mut text, 0), full);
            }
            loss.write(Disk(&mut text, 1000), "fifth\n");
            loss.write(Disk(&mut text, 1000), "sixth\n");
            let text = String::from_utf8(text).unwrap();
            let lines: Vec<_> = text.lines().collect();
            let torn = usize::from(room > 0);
            assert_eq!(lines.len(), 4 + torn, "{text}");
            assert_eq!(lines[0], "first");
            assert!(lines[1 + torn].contains("3 records were lost"), "{text}");
            assert_eq!(lines[2 + torn..], ["fifth", "sixth"]);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_record_is_written_before_what_is_printed_next() {
        use std::io::Read;
        let (mut read, mut write) = io::pipe().unwrap();
        let own = File::from(std::os::fd::OwnedFd::from(write.try_clone().unwrap()));
        let writer = Writer::new(Output::File(Private::new(own)));
        let mut expected = String::new();
        for number in 0..200 {
            writer.push(format!("record {number}\n"));
            writeln!(write, "print {number}").unwrap();
            expected += &format!("record {number}\nprint {number}\n");
        }
        writer.drain(Duration::from_secs(60));
        drop((writer, write));
        let mut text = vec![0; expected.len()];
        // The thread keeps its end open for a while.
        read.read_exact(&mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[cfg(unix)]
    #[test]
    fn a_reader_that_does_not_read_blocks_no_writer() {
        use std::io::BufRead;
        let (read, write) = io::pipe().unwrap();
        let writer =
            Writer::new(Output::File(Private::new(File::from(std::os::fd::OwnedFd::from(write)))));
        let padding = "x".repeat(1000);
        // As much as the pipe and the queue hold, and as much again.
        let count = 2 * WAITING_BYTES_MAX / padding.len();
        for number in 0..count {
            writer.push(format!("{number} {padding}\n"));
        }
        writer.drain(Duration::from_millis(1));
        let (told, lines) = mpsc::channel();
        let reader = thread::spawn(move || {
            for line in io::BufReader::new(read).lines() {
                told.send(line.unwrap()).unwrap();
            }
        });
        writer.drain(Duration::from_secs(60));
        drop(writer);
        let lines: Vec<_> = lines.iter().collect();
        reader.join().unwrap();
        let (mut next, mut losses) = (0, 0);
        for line in &lines {
            match line.split_once(" records were lost") {
                Some((before, _)) => {
                    let lost: usize = before.rsplit(' ').next().unwrap().parse().unwrap();
                    (next, losses) = (next + lost, losses + 1);
                }
                None => {
                    assert_eq!(line.split(' ').next().unwrap(), next.to_string());
                    next += 1;
                }
            }
        }
        assert_eq!(next, count);
        assert!(losses > 0);
    }
}

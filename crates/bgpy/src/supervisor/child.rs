//! The process of one server, as its supervisor sees it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::held::{HeldResources, Successor};
use crate::config::Config;
use crate::launch::{Orders, Report};

/// Bytes of a report that are taken at most.
const REPORT_BYTES_MAX: usize = 1 << 20;

/// Characters of what a server says of its end that are repeated elsewhere. Its log has all of it.
const LAST_WORDS_MAX: usize = 300;

/// The status of a process of which none is known: an exit code of 1.
const UNKNOWN: i32 = 1 << 8;

/// A server's process.
#[derive(Debug)]
pub(super) struct Child {
    id: Pid,
    /// Where it reports to, until it says that it retires.
    line: Option<UnixStream>,
    heard: Vec<u8>,
    /// Why it does not start, if it said so.
    failure: Option<String>,
    /// Since when it takes calls.
    ready: Option<Instant>,
    is_retiring: bool,
}

impl Child {
    /// A copy of this process, which has the other end of the line.
    pub(super) fn forked(id: u32, line: UnixStream) -> io::Result<Self> {
        line.set_nonblocking(true)?;
        let id =
            i32::try_from(id).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        let line = Some(line);
        Ok(Self { id, line, heard: Vec::new(), failure: None, ready: None, is_retiring: false })
    }

    /// Starts an interpreter anew, which has everything that the one before had.
    pub(super) fn start(
        config: &Config,
        held: &HeldResources,
        successor: &Successor<'_>,
    ) -> io::Result<Self> {
        let (line, cord) = UnixStream::pair()?;
        let inheritance = held.hand_over(successor, &cord)?;
        let orders = Orders { config: config.clone(), inheritance: Some(inheritance) };
        let mut command = config.command();
        command.stdin(Stdio::piped());
        if !successor.is_foreground {
            // The one that was opened for the first server may have been rotated away. Without a log, what
            // it prints before it has one itself is lost.
            let log = || config.open_log().unwrap_or_else(|_| Stdio::null());
            command.stdout(log()).stderr(log());
        }
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // One that dies at once is found dead soon.
            drop(input.write_all(&orders.text()));
        }
        Self::forked(child.id(), line)
    }

    /// Takes note of what it has said.
    pub(super) fn heed(&mut self, report: &Report) {
        match report {
            Report::Ready { .. } => self.ready = Some(Instant::now()),
            Report::Failed { message, .. } => self.failure = Some(message.clone()),
            Report::Retiring => {
                self.is_retiring = true;
                self.line = None;
            }
        }
    }

    /// Whether it has said that it takes no calls any more.
    pub(super) fn is_retiring(&self) -> bool {
        self.is_retiring
    }

    /// How long it has taken calls, if it came so far.
    pub(super) fn took_calls_for(&self) -> Option<Duration> {
        self.ready.map(|since| since.elapsed())
    }

    /// Where it reports to, as long as it may say something.
    pub(super) fn line(&self) -> Option<&UnixStream> {
        self.line.as_ref()
    }

    /// How it has failed, in a line.
    pub(super) fn last_words(&self, status: ExitStatus) -> String {
        let Some(failure) = &self.failure else { return status.to_string() };
        let words = match failure.split_once(":\n\n") {
            Some((words, traceback)) => &format!("{words}: {}", exception(traceback)),
            None => failure.split("\n\n").next().unwrap_or_default(),
        };
        let mut words = words.replace('\n', " ");
        words.truncate(words.trim_end().len());
        if let Some((end, _)) = words.char_indices().nth(LAST_WORDS_MAX) {
            words.truncate(end);
            words += " ...";
        }
        format!("{status}: {words}")
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&self) -> Option<ExitStatus> {
        match waitpid(Some(self.id), WaitOptions::NOHANG) {
            Ok(waited) => waited.map(|(_, status)| ExitStatus::from_raw(status.as_raw())),
            // It has been waited for by the system, where whoever started this process ignores SIGCHLD.
            Err(_) => Some(ExitStatus::from_raw(UNKNOWN)),
        }
    }

    pub(super) fn send(&self, signal: i32) {
        // It has not been waited for, so that the id is its own still.
        if let Some(signal) = Signal::from_named_raw(signal) {
            let _ = kill_process(self.id, signal);
        }
    }

    /// What it has said since it was listened to last.
    pub(super) fn hear(&mut self) -> Vec<Report> {
        let mut buffer = [0; 4096];
        while let Some(line) = &mut self.line {
            match line.read(&mut buffer) {
                Ok(bytes) if bytes > 0 && self.heard.len() < REPORT_BYTES_MAX => {
                    self.heard.extend_from_slice(&buffer[..bytes]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => self.line = None,
            }
        }
        let end = self.heard.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let lines: Vec<u8> = self.heard.drain(..end).collect();
        lines
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect()
    }
}

/// The exception of a traceback, which is behind the last of the frames that it lists.
fn exception(traceback: &str) -> &str {
    let listed = traceback.rsplit_once("Traceback (most recent call last):\n");
    let mut behind = listed.map_or(traceback, |(_, listed)| listed).lines();
    behind.find(|line| !line.starts_with(' ')).unwrap_or_default()
}

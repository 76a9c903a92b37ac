//! The process of one server, as its supervisor sees it.

use std::io::{self, Read, Write};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::held::{HeldResources, Successor};
use crate::bootstrap::{Orders, Report};
use crate::config::Config;
use crate::platform::{ServerProcess, StopRequest, SupervisorLine, supervisor_line};

/// Most bytes of a report that are read.
const REPORT_BYTES_MAX: usize = 1 << 20;

/// Characters of a server's failure that are repeated elsewhere. Its log has all of it.
const LAST_WORDS_MAX: usize = 300;

/// A server's process.
#[derive(Debug)]
pub(super) struct Child {
    process: ServerProcess,
    /// Where it reports to, until it reports that it retires.
    line: Option<SupervisorLine>,
    heard: Vec<u8>,
    /// Why it did not start, if it reported that.
    failure: Option<String>,
    /// Since when it accepts calls.
    ready: Option<Instant>,
    is_retiring: bool,
}

impl Child {
    /// For a process that has the other end of the line.
    pub(super) fn new(process: ServerProcess, line: SupervisorLine) -> io::Result<Self> {
        line.set_nonblocking(true)?;
        let line = Some(line);
        Ok(Self {
            process,
            line,
            heard: Vec::new(),
            failure: None,
            ready: None,
            is_retiring: false,
        })
    }

    /// Starts a new interpreter with the same resources as the one before.
    pub(super) fn start(
        config: &Config,
        held: &HeldResources,
        successor: &Successor<'_>,
    ) -> io::Result<Self> {
        let (line, pipe) = supervisor_line()?;
        let inheritance = held.hand_over(successor, &pipe)?;
        let handed_on = inheritance.numbers();
        // The log opened for the first server may have been rotated away. Without a log, output
        // before the server opens it itself is lost.
        let log = || config.open_log().or_else(|_| config.open_nowhere());
        let log = if successor.is_foreground { None } else { Some(log()?) };
        let (process, mut input) =
            ServerProcess::start(&mut config.command(), log.as_ref(), &handed_on)?;
        let orders = Orders { config: config.clone(), inheritance: Some(inheritance) };
        // If it has died already, the supervisor reaps it soon.
        drop(input.write_all(&orders.text()));
        Self::new(process, line)
    }

    /// Processes a report.
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

    /// Whether it has reported that it accepts no more calls.
    pub(super) fn is_retiring(&self) -> bool {
        self.is_retiring
    }

    /// How long it accepted calls, if it ever did.
    pub(super) fn took_calls_for(&self) -> Option<Duration> {
        self.ready.map(|since| since.elapsed())
    }

    /// The line for its reports, as long as more may come.
    pub(super) fn line(&self) -> Option<&SupervisorLine> {
        self.line.as_ref()
    }

    /// How it failed, in one line.
    pub(super) fn last_words(&self, status: ExitStatus) -> String {
        let status = shown(status);
        let Some(failure) = &self.failure else { return status };
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

    /// Its exit status, if it has ended.
    pub(super) fn ended(&self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// The process.
    pub(super) fn process(&self) -> &ServerProcess {
        &self.process
    }

    /// Passes on that it is to end.
    pub(super) fn tell(&self, request: StopRequest) {
        self.process.tell(request);
    }

    /// The reports that have arrived since the last call.
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

/// How a process ended, in the words of `bgpy status`.
fn shown(status: ExitStatus) -> String {
    ["exit status: ", "exit code: "]
        .iter()
        .fold(status.to_string(), |text, words| text.replace(words, "exit code "))
        .replace("signal: ", "signal ")
}

/// The exception of a traceback: the text after the last listed frame.
fn exception(traceback: &str) -> &str {
    let listed = traceback.rsplit_once("Traceback (most recent call last):\n");
    let mut behind = listed.map_or(traceback, |(_, listed)| listed).lines();
    behind.find(|line| !line.starts_with(' ')).unwrap_or_default()
}

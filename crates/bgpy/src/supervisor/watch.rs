//! Watching one server after the other.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use super::estate::Estate;
use crate::platform;
use crate::registry::Registry;
use crate::restart::Quota;
use crate::spawn::{Config, Report, Reporter};

/// Bytes of a report that are taken at most.
const REPORT_BYTES_MAX: usize = 1 << 20;

/// The status of a process of which none is known: an exit code of 1.
const UNKNOWN: i32 = 1 << 8;

/// Waits for the end of a server, and starts it again if it is told to.
#[derive(Debug)]
pub struct Supervisor {
    config: Config,
    registry: Option<Registry>,
    /// Of a server that may be started again, as long as it takes calls.
    estate: Option<Estate>,
    /// Who wants to know when the first one is ready, until that is told.
    starter: Option<Reporter>,
    child: Child,
    signals: SignalDelivery<UnixStream, SignalOnly>,
    quota: Quota,
    generation: u32,
    is_foreground: bool,
    /// Whether one of them was ready: what does not even start is not started again.
    has_been_ready: bool,
    /// Whether a signal has said that it is enough.
    was_told: bool,
}

/// A server's process.
#[derive(Debug)]
pub(super) struct Child {
    id: Pid,
    /// Where it reports to, until it says that it retires.
    line: Option<UnixStream>,
    heard: Vec<u8>,
    /// Why it does not start, if it said so.
    failure: Option<String>,
    is_retiring: bool,
}

impl Supervisor {
    pub(super) fn new(
        config: Config,
        registry: Option<Registry>,
        estate: Option<Estate>,
        starter: Option<Reporter>,
        child: Child,
        is_foreground: bool,
    ) -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        let wanted = [SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT];
        let signals = SignalDelivery::with_pipe(read, write, SignalOnly, wanted)?;
        let quota = Quota::new(config.restart);
        Ok(Self {
            config,
            registry,
            estate,
            starter,
            child,
            signals,
            quota,
            generation: 0,
            is_foreground,
            has_been_ready: false,
            was_told: false,
        })
    }

    /// Waits for the end of the last server, and returns how it has ended.
    pub fn run(mut self) -> ExitStatus {
        loop {
            let status = self.watch();
            let is_over = self.was_told || self.child.is_retiring || status.success();
            if is_over || !self.has_been_ready {
                self.conclude(status, None);
                return status;
            }
            let mut words = format!("the server's process has failed: {status}");
            if let Some(failure) = &self.child.failure {
                words = format!("{words}: {failure}");
            }
            self.config.journal(self.is_foreground).critical(&words);
            let Some(estate) = self.estate.take() else {
                self.conclude(status, None);
                return status;
            };
            let started = self.start_again(&estate);
            self.estate = Some(estate);
            match started {
                Ok(child) => self.child = child,
                Err(reason) => {
                    self.conclude(status, Some(&format!("{words}; {reason}")));
                    return status;
                }
            }
        }
    }

    /// Serves signals and reports until the process is gone.
    fn watch(&mut self) -> ExitStatus {
        loop {
            let ended = self.child.ended();
            // What it said before it ended is still there to be heard.
            for report in self.child.hear() {
                self.heed(report);
            }
            if let Some(status) = ended {
                return status;
            }
            let line = self.child.line.as_ref();
            let fds = [Some(self.signals.get_read()), line].into_iter().flatten();
            let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
            // It fails only when a signal comes, which is looked for anyway.
            let _ = poll(&mut fds, None);
            drop(fds);
            for signal in self.signals.pending().filter(|signal| *signal != SIGCHLD) {
                self.was_told = true;
                // What a terminal sends, it sends to the server, too.
                if !self.is_foreground || signal == SIGTERM {
                    self.child.send(signal);
                }
            }
        }
    }

    fn heed(&mut self, report: Report) {
        match &report {
            Report::Ready { .. } => {
                if self.is_foreground && !self.has_been_ready {
                    platform::notify("READY=1");
                }
                self.has_been_ready = true;
            }
            Report::Failed { message, .. } => self.child.failure = Some(message.clone()),
            Report::Retiring => {
                if self.is_foreground {
                    platform::notify("STOPPING=1");
                }
                self.child.is_retiring = true;
                // First the place, then the line, whose end tells the server.
                self.estate = None;
                self.child.line = None;
                return;
            }
        }
        if let Some(mut starter) = self.starter.take() {
            starter.report(&report);
        }
    }

    /// Starts the next server; an error says why there is none.
    fn start_again(&mut self, estate: &Estate) -> Result<Child, String> {
        while self.quota.take(Instant::now()) {
            self.generation += 1;
            let journal = self.config.journal(self.is_foreground);
            journal.warning(format_args!("starting it again (generation {})", self.generation));
            match Child::start(&self.config, estate, self.generation, self.is_foreground) {
                Ok(child) => return Ok(child),
                Err(error) => journal.error(format_args!("it cannot be started: {error}")),
            }
        }
        Err(format!("it is not started again ({} within a minute)", self.config.restart))
    }

    /// Leaves word of how it ended, and nothing else.
    fn conclude(&mut self, status: ExitStatus, reason: Option<&str>) {
        if let Some(registry) = &self.registry {
            registry.note_exit(&self.config.instance, status, reason);
        }
        if let Some(estate) = self.estate.take() {
            estate.release();
        }
    }
}

impl Child {
    /// A copy of this process, which has the other end of the line.
    pub(super) fn forked(id: u32, line: UnixStream) -> io::Result<Self> {
        line.set_nonblocking(true)?;
        let id =
            i32::try_from(id).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { id, line: Some(line), heard: Vec::new(), failure: None, is_retiring: false })
    }

    /// Starts an interpreter anew, which has everything that the one before had.
    pub(super) fn start(
        config: &Config,
        estate: &Estate,
        generation: u32,
        is_foreground: bool,
    ) -> io::Result<Self> {
        let (line, cord) = UnixStream::pair()?;
        let inheritance = estate.bequeath(generation, is_foreground, &cord)?;
        let config = Config { inheritance: Some(inheritance), ..config.clone() };
        let mut command = config.command();
        command.stdin(Stdio::piped());
        if !is_foreground {
            // The one that was opened for the first server may have been rotated away.
            let (output, error) = (config.open_log()?, config.open_log()?);
            command.stdout(output).stderr(error);
        }
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // One that dies at once is found dead soon.
            drop(input.write_all(&config.text()));
        }
        Self::forked(child.id(), line)
    }

    /// How it has ended, if it has.
    fn ended(&self) -> Option<ExitStatus> {
        match waitpid(Some(self.id), WaitOptions::NOHANG) {
            Ok(waited) => waited.map(|(_, status)| ExitStatus::from_raw(status.as_raw())),
            // It has been waited for by the system, where whoever started this process ignores SIGCHLD.
            Err(_) => Some(ExitStatus::from_raw(UNKNOWN)),
        }
    }

    fn send(&self, signal: i32) {
        // It has not been waited for, so that the id is its own still.
        if let Some(signal) = Signal::from_named_raw(signal) {
            let _ = kill_process(self.id, signal);
        }
    }

    /// What it has said since it was listened to last.
    fn hear(&mut self) -> Vec<Report> {
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

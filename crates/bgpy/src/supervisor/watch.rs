//! Watching successive processes of a server, and the pauses between them.

use std::fmt::Display;
use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::child::Child;
use super::held::{HeldResources, Successor};
use super::log::SupervisorLog;
use super::notice::Notice;
use crate::bootstrap::{Report, StartReporter};
use crate::config::Config;
use crate::duration::shown;
use crate::log::Level;
use crate::platform::{self, StopRequests};
use crate::registry::Registry;
use crate::restart::{Failing, ProcessEnd, Schedule, Times};

/// How often a failed write is retried.
const AGAIN: Duration = Duration::from_secs(1);

/// Waits for the end of a server, and restarts it if told to.
#[derive(Debug)]
pub struct Supervisor {
    config: Config,
    /// For a server that may be restarted, as long as it accepts calls.
    held: Option<HeldResources>,
    /// The starter, until it is told whether the first process is ready.
    starter: Option<StartReporter>,
    child: Child,
    requests: StopRequests,
    schedule: Schedule,
    failing: Option<Failing>,
    notice: Notice,
    log: SupervisorLog,
    generation: u32,
    is_foreground: bool,
    /// Whether any process was ready: a server whose first start fails is not restarted.
    has_been_ready: bool,
    /// Whether the supervisor was told to stop.
    was_told: bool,
}

/// The initial state of a supervisor.
pub(super) struct Start {
    pub(super) config: Config,
    pub(super) registry: Option<Registry>,
    pub(super) held: Option<HeldResources>,
    pub(super) starter: Option<StartReporter>,
    pub(super) child: Child,
    pub(super) is_foreground: bool,
}

/// What happens to a server that has failed.
enum Next {
    Started(Child),
    /// It is given up, for this reason.
    GivenUp(String),
    /// The supervisor was told to stop after this failure.
    ToldToEnd(String),
}

impl Supervisor {
    pub(super) fn new(start: Start, times: Times) -> io::Result<Self> {
        let Start { config, registry, held, starter, child, is_foreground } = start;
        Ok(Self {
            schedule: Schedule::new(config.restart, times),
            notice: Notice::new(registry, &config.instance),
            config,
            held,
            starter,
            child,
            requests: StopRequests::new()?,
            failing: None,
            log: SupervisorLog::default(),
            generation: 0,
            is_foreground,
            has_been_ready: false,
            was_told: false,
        })
    }

    /// Waits for the end of the last process, and returns its exit status.
    pub fn run(mut self) -> ExitStatus {
        loop {
            let status = self.watch();
            let end = ProcessEnd {
                succeeded: status.success(),
                was_retiring: self.child.is_retiring(),
                was_told: self.was_told,
                has_been_ready: self.has_been_ready,
            };
            if !end.is_failure() {
                return self.conclude(status, None);
            }
            let last = self.child.last_words(status);
            self.say(Level::Critical, format_args!("the server's process has failed: {last}"));
            let Some(held) = self.held.take() else {
                return self.conclude(status, None);
            };
            let next = self.bring_back(&held, last);
            self.held = Some(held);
            match next {
                Next::Started(child) => self.child = child,
                Next::GivenUp(reason) => {
                    self.say(Level::Critical, &reason);
                    return self.conclude(status, Some(&reason));
                }
                Next::ToldToEnd(last) => {
                    let reason = format!(
                        "stopped while it waited to be started again; it had failed: {last}"
                    );
                    self.say(Level::Info, &reason);
                    self.notice.end(reason);
                    self.release();
                    return ExitStatus::default();
                }
            }
        }
    }

    /// Handles requests and reports until the process is gone.
    fn watch(&mut self) -> ExitStatus {
        loop {
            let ended = self.child.ended();
            // Reports are read after `ended`: those sent before the end are still in the socket,
            // and none can follow.
            for report in self.child.hear() {
                self.heed(&report);
            }
            if let Some(status) = ended {
                return status;
            }
            let limit = self.log.has_lost().then_some(AGAIN);
            self.requests.wait(Some(self.child.process()), self.child.line(), limit);
            self.log.settle(&self.config);
            for request in self.requests.take() {
                self.was_told = true;
                // What comes from a terminal reaches the server as well.
                if !self.is_foreground || !request.is_for_all() {
                    self.child.tell(request);
                }
            }
        }
    }

    fn heed(&mut self, report: &Report) {
        match report {
            Report::Ready { .. } => {
                if self.is_foreground && !self.has_been_ready {
                    platform::notify("READY=1");
                }
                self.has_been_ready = true;
                self.notice.read();
            }
            Report::Failed { .. } => {}
            Report::Retiring => {
                if self.is_foreground {
                    platform::notify("STOPPING=1");
                }
                // Release `held` before the line: EOF on the line tells the server that name and
                // sockets are free.
                self.held = None;
            }
        }
        self.child.heed(report);
        if let Some(mut starter) = self.starter.take_if(|_| !matches!(report, Report::Retiring)) {
            starter.report(report);
        }
    }

    /// Restarts the server after its pause.
    fn bring_back(&mut self, held: &HeldResources, mut last: String) -> Next {
        let mut took_calls_for = self.child.took_calls_for();
        loop {
            let now = Instant::now();
            let Some(pause) = self.schedule.failed(now, took_calls_for.take()) else {
                return Next::GivenUp(self.given_up(&last, now));
            };
            if !self.pause(pause, &last) {
                return Next::ToldToEnd(last);
            }
            self.generation += 1;
            let generation = self.generation;
            self.say(Level::Warning, format_args!("restarting the server (restart {generation})"));
            let (is_foreground, failing) = (self.is_foreground, self.failing.as_ref());
            let successor = Successor { generation, is_foreground, failing };
            match Child::start(&self.config, held, &successor) {
                Ok(child) => return Next::Started(child),
                Err(error) => {
                    last = format!("it cannot be started: {error}");
                    self.say(Level::Error, &last);
                }
            }
        }
    }

    /// Waits for a pause while log and registry show the failure; `false` if the supervisor is told
    /// to stop.
    fn pause(&mut self, pause: Duration, last: &str) -> bool {
        let at_ms = jiff::Timestamp::now().as_millisecond();
        let next_ms = at_ms + i64::try_from(pause.as_millis()).unwrap_or_default();
        let (failures, last) = (self.schedule.failures(), last.to_owned());
        let failing = Failing { failures, last, at_ms, next_ms: Some(next_ms) };
        self.failing = Some(Failing { next_ms: None, ..failing.clone() });
        let until = Instant::now() + pause;
        if !pause.is_zero() {
            let pause = shown(pause);
            let times = if failures == 1 { "once".into() } else { format!("{failures} times") };
            let words = format_args!("it has failed {times}; next try in {pause}");
            self.say(Level::Warning, words);
            self.notice.tell(&failing);
        }
        loop {
            if !self.requests.take().is_empty() {
                self.was_told = true;
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            self.requests.wait(None, None, Some(left.min(AGAIN)));
            self.log.settle(&self.config);
            self.notice.keep();
        }
    }

    fn given_up(&self, last: &str, now: Instant) -> String {
        let since = self.schedule.since().map(|since| now.saturating_duration_since(since));
        let time = shown(Duration::from_secs(since.unwrap_or_default().as_secs()));
        let (failures, policy) = (self.schedule.failures(), self.config.restart);
        format!(
            "{last}; given up after {failures} failures in {time}; it was never up for a minute \
             ({policy})"
        )
    }

    fn say(&mut self, level: Level, text: impl Display) {
        self.log.write(&self.config, self.is_foreground, level, text);
    }

    /// Records how the server ended, and releases everything.
    fn conclude(&mut self, status: ExitStatus, reason: Option<&str>) -> ExitStatus {
        self.notice.conclude(status, reason);
        self.release();
        status
    }

    fn release(&mut self) {
        if let Some(held) = self.held.take() {
            held.release();
        }
    }
}

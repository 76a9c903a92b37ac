//! Stops and restarts servers in threads, so that the view goes on meanwhile.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use bgpy::registry::{Entry, Registry};
use bgpy::survey::look_up;
use bgpy::{Client, ClientOptions, Target, Wait};

use crate::connect::restart::Restart;
use crate::connect::{default_grace, shutdown};
use crate::output;

/// How often a user who waits for the last actions may interrupt.
const LOOK: Duration = Duration::from_millis(50);

/// What to do with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Stop,
    Restart,
}

/// What an action has to tell the user.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// What it does or waits for.
    Progress(String),
    /// It is over.
    Done(String),
    /// It is over, and has not done what it should.
    Failed(String),
}

/// The actions that run.
#[derive(Debug)]
pub(super) struct Actions {
    registry: Registry,
    /// The instances that they are about.
    running: Vec<String>,
    reports: Receiver<(String, Report)>,
    report: Sender<(String, Report)>,
    interrupted: Arc<AtomicBool>,
}

impl Action {
    /// The command that does the same.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }

    fn run(self, registry: &Registry, entry: &Entry, task: &Task<'_>) -> Result<String, String> {
        let (meant, target) = (entry.unique_target(), entry.target());
        let wait = Wait::new(None, task.interrupted);
        let found = look_up(registry, &meant, &wait).map_err(|error| error.to_string())?;
        let Some(info) = found.filter(|info| info.entry.instance == entry.instance) else {
            return Err(format!("{target} is another server now: select it again"));
        };
        match self {
            Self::Stop if info.has_ended() => Err(format!("{target} has already ended")),
            Self::Stop => {
                let client = Client::new(meant, ClientOptions::default());
                let wait = Wait::new(Some(default_grace()), task.interrupted);
                let stopped = shutdown::stop_for_good(&client, registry, Some(&info.entry), &wait);
                let stopped = stopped.map(|()| format!("Stopped {target}."));
                stopped.map_err(|problem| problem.text(&target))
            }
            Self::Restart => {
                let restart = Restart {
                    registry,
                    info: &info,
                    target: &target,
                    token: None,
                    variables: &[],
                    grace: default_grace(),
                    wait: &wait,
                    interrupted: task.interrupted,
                    tell: task.tell,
                };
                match restart.run() {
                    Ok(server) => Ok(format!("Restarted {target} (process {}).", server.pid)),
                    Err(error) => {
                        let advice =
                            error.advice.map(|text| format!(" {text}")).unwrap_or_default();
                        Err(error.text + &advice)
                    }
                }
            }
        }
    }
}

/// What an action needs of its thread.
struct Task<'a> {
    interrupted: &'a dyn Fn() -> bool,
    tell: &'a dyn Fn(String),
}

impl Actions {
    pub(super) fn new(registry: Registry) -> Self {
        let (report, reports) = mpsc::channel();
        Self { registry, running: Vec::new(), reports, report, interrupted: Arc::default() }
    }

    /// Starts an action, and returns what to tell the user.
    pub(super) fn start(&mut self, action: Action, entry: Box<Entry>) -> Report {
        let (target, command) = (entry.target(), action.command());
        if self.running.contains(&entry.instance) {
            return Report::Failed(format!("{target} is being stopped or restarted already"));
        }
        match self.spawn(action, entry) {
            Ok(()) => Report::Progress(started(action, &target)),
            Err(error) => Report::Failed(format!(
                "no thread can be started: {error}; use `bgpy {command} {target}`"
            )),
        }
    }

    fn spawn(&mut self, action: Action, entry: Box<Entry>) -> io::Result<()> {
        let instance = entry.instance.clone();
        let (registry, report) = (self.registry.clone(), self.report.clone());
        let (id, interrupted) = (instance.clone(), Arc::clone(&self.interrupted));
        let act = move || {
            // If nobody receives it, the view has ended.
            let send = |text| drop(report.send((id.clone(), text)));
            let task = Task {
                interrupted: &|| interrupted.load(Ordering::Relaxed),
                tell: &|text| send(Report::Progress(text)),
            };
            match action.run(&registry, &entry, &task) {
                Ok(text) => send(Report::Done(text)),
                Err(text) => send(Report::Failed(text)),
            }
        };
        thread::Builder::new().name("bgpy-top-action".into()).spawn(act)?;
        self.running.push(instance);
        Ok(())
    }

    /// The next report, if there is one.
    pub(super) fn try_recv(&mut self) -> Option<Report> {
        let (instance, report) = self.reports.try_recv().ok()?;
        Some(self.noted(&instance, report))
    }

    /// Waits for the actions that run, once the terminal is restored: a server that has been stopped for a
    /// restart must not stay so. Prints their reports.
    pub(super) fn finish(mut self, interrupted: &dyn Fn() -> bool) {
        if !self.running.is_empty() {
            output::note("Waiting for what was begun; Ctrl-C interrupts it.");
        }
        while !self.running.is_empty() {
            if interrupted() {
                self.interrupted.store(true, Ordering::Relaxed);
            }
            match self.reports.recv_timeout(LOOK) {
                Ok((instance, report)) => match self.noted(&instance, report) {
                    Report::Progress(text) | Report::Done(text) => output::note(text),
                    Report::Failed(text) => output::note(format_args!("error: {text}")),
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn noted(&mut self, instance: &str, report: Report) -> Report {
        if !matches!(report, Report::Progress(_)) {
            self.running.retain(|running| running != instance);
        }
        report
    }
}

fn started(action: Action, target: &Target) -> String {
    match action {
        Action::Stop => format!("Stopping {target} ..."),
        Action::Restart => format!("Restarting {target} ..."),
    }
}

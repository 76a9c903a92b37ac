//! Starting a server in the background.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, PoisonError};

use super::starting_child::{End, NoReport, Printed, StartingChild};
use crate::bootstrap::{Orders, Report};
use crate::config::Config;
use crate::error::StartError;
use crate::fork;
use crate::platform;
use crate::registry::{Entry, Registry};
use crate::sync::lock;
use crate::termination;
use crate::wait::Wait;

/// A server started by this process.
#[derive(Debug, Clone)]
pub struct Background {
    /// Its process id at the start.
    pub pid: u32,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it logs.
    pub log_file: Option<PathBuf>,
    instance: String,
    registry: Option<Registry>,
    end: Arc<End>,
    /// The process that started it, where a thread waits for its end.
    starter: u32,
}

/// Starts a server in the background and waits until it is ready.
///
/// # Errors
/// [`StartError`]; no process is left behind.
pub fn start(config: Config, wait: &Wait<'_>) -> Result<Background, StartError> {
    let (mut child, path) = begin(config)?;
    let mut printed = path.as_deref().and_then(Printed::from_now);
    let report = child.report(wait).map_err(|reason| child.explain(reason, wait, &mut printed))?;
    child.over = true;
    match report {
        Report::Failed { kind, message } => {
            drop(child.child.wait());
            Err(StartError::Reported { kind, message })
        }
        // A server never retires before it is ready.
        Report::Retiring => Err(child.explain(NoReport::Died, wait, &mut printed)),
        Report::Ready { pid, address } => {
            let (instance, registry) = (child.instance.clone(), child.registry.clone());
            let end = child.watch()?;
            let starter = fork::generation();
            Ok(Background { pid, address, log_file: path, instance, registry, end, starter })
        }
    }
}

/// Starts a server in the background without waiting for it. Its log tells how it goes.
///
/// # Errors
/// [`StartError::Spawn`] and [`StartError::LogFile`].
pub fn start_unwatched(config: Config) -> Result<(), StartError> {
    let (mut child, _) = begin(config)?;
    child.over = true;
    Ok(())
}

/// Starts the process and sends it its orders.
fn begin(mut config: Config) -> Result<(StartingChild, Option<PathBuf>), StartError> {
    config.settle();
    // Open the log before starting anything.
    config.log_file = log_file(&config)?;
    let log = config.open_log().map_err(|source| {
        let path = config.log_file.clone().unwrap_or_default();
        StartError::LogFile { path, source }
    })?;
    let mut command = config.command();
    let program = PathBuf::from(command.get_program());
    let child = platform::spawn_background(&mut command, log)
        .map_err(|source| StartError::Spawn { program, source })?;
    let (instance, registry) = (config.instance.clone(), Registry::of_user().ok());
    let (name, log_file) = (config.name.clone(), config.log_file.clone());
    let orders = Orders { config, inheritance: None };
    let mut child = StartingChild { child, instance, name, registry, over: false };
    // A child that dies at once closes the pipe; its output explains more than the write error.
    drop(child.child.stdin.take().map(|mut input| input.write_all(&orders.text())));
    Ok((child, log_file))
}

/// The log file of a server: the configured one, else one in the runtime directory, named after its
/// instance.
fn log_file(config: &Config) -> Result<Option<PathBuf>, StartError> {
    let absolute = |path: &PathBuf| {
        std::path::absolute(path)
            .map_err(|source| StartError::LogFile { path: path.clone(), source })
    };
    let own = |registry: Registry| registry.prepare().ok().map(|()| registry.log_path(config.id()));
    match &config.log_file {
        Some(path) => absolute(path).map(Some),
        // Without a place for the log, the server's output is lost, but the server runs.
        None => Ok(Registry::of_user().ok().and_then(own)),
    }
}

impl Background {
    /// The current process id, which changes with a restart.
    pub fn pid(&self) -> u32 {
        self.entry().map_or(self.pid, |entry| entry.process.pid)
    }

    /// Waits until the server and its process have ended, and returns the exit status if it is
    /// known.
    ///
    /// # Errors
    /// What the process still waits for, if that is known, when the time is over or the caller
    /// wants to stop.
    pub fn wait(&self, wait: &Wait<'_>) -> Result<Option<ExitStatus>, Option<String>> {
        if self.starter != fork::generation() {
            return self.wait_in_child(wait);
        }
        let mut outcome = lock(&self.end.outcome);
        while outcome.is_none() {
            let slice = wait.slice().ok_or_else(|| self.hindrance())?;
            let waited = self.end.came.wait_timeout(outcome, slice);
            outcome = waited.unwrap_or_else(PoisonError::into_inner).0;
            if outcome.is_none() && wait.is_interrupted() {
                return Err(self.hindrance());
            }
        }
        Ok(outcome.flatten())
    }

    /// Waits in a forked child of the starter: the server is no child of this process, and the thread
    /// that waits for it is not here.
    fn wait_in_child(&self, wait: &Wait<'_>) -> Result<Option<ExitStatus>, Option<String>> {
        let Some((registry, entry)) = self.registry.as_ref().zip(self.entry()) else {
            return Ok(None);
        };
        termination::until_ended(registry, &entry, wait).map_err(Some)?;
        let ending = termination::outcome(registry, &entry, wait);
        Ok(ending.and_then(|ending| platform::status_of(ending.code, ending.signal)))
    }

    /// Whether the server and its process have ended.
    pub fn has_ended(&self) -> bool {
        let is_here = self.starter == fork::generation();
        (is_here && lock(&self.end.outcome).is_some())
            || self.entry().is_some_and(|entry| entry.is_over())
    }

    /// Kills the server, whose start has come to nothing although its process was ready.
    pub fn abandon(&self, reason: &str) {
        // A server without an entry has ended, or is about to.
        if let Some((registry, entry)) = self.registry.as_ref().zip(self.entry()) {
            drop(termination::kill(registry, entry, reason));
        }
    }

    /// Why a server that accepts no more calls has not ended.
    fn hindrance(&self) -> Option<String> {
        let is_retired = |entry: &Entry| entry.retired_ms.is_some();
        self.entry().filter(is_retired).map(|entry| entry.hindrance())
    }

    /// Its entry in the registry, also after its end.
    pub fn entry(&self) -> Option<Entry> {
        self.registry.as_ref()?.entry(&self.instance)
    }
}

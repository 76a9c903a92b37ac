//! Starting a server again when the files of its tasks change.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use bgpy::config::Config;
use bgpy::registry::{Claim, Registry};
use bgpy::server::Stopper;
use bgpy::start::again::{self, spawn_apart};
use bgpy::start::preflight;
use bgpy::watch::watch;
use bgpy::{Log, Name};
use pyo3::prelude::*;

use super::interpreter::this_interpreter;
use super::signals::GRACE;
use super::source::{Location, Source};

/// The time that a server has for ending before its successor starts, in seconds: a year.
const GRACE_S: &str = "31536000";

/// How often a process that waits for a change lets signal handlers run.
const LOOK: Duration = Duration::from_millis(100);

/// What a server in the foreground does once it has ended.
#[derive(Debug, Default)]
pub struct Then {
    /// Whether it is started again.
    pub again: bool,
    /// Lets clients wait for it.
    pub claim: Option<Claim>,
    /// The port that it had.
    pub port: Option<u16>,
}

/// Shared by a server in the foreground and whoever watches its files.
pub type Plan = Arc<Mutex<Then>>;

/// What happens when a file has changed.
pub enum Watching {
    /// A server in the background is replaced by `bgpy restart`.
    Restart {
        source: Option<Source>,
        python: PathBuf,
        server: String,
        log: Log,
        since: SystemTime,
        /// Whether it was started that way itself.
        is_after_change: bool,
    },
    /// A server in the foreground is stopped, and starts itself again.
    Stop { config: Box<Config>, stopper: Stopper, log: Log, plan: Plan, since: SystemTime },
}

impl Watching {
    /// For a server that has not started yet.
    ///
    /// # Errors
    /// If the interpreter is not known.
    pub fn new(
        py: Python<'_>,
        config: &Config,
        server: &bgpy::Server,
        log: &Log,
        plan: Option<Plan>,
    ) -> PyResult<Self> {
        let (log, since) = (log.clone(), SystemTime::now());
        Ok(match plan {
            Some(plan) => {
                plan.lock().unwrap_or_else(PoisonError::into_inner).port =
                    Some(server.address().port());
                let config = Box::new(config.clone());
                Self::Stop { config, stopper: server.stopper(), log, plan, since }
            }
            None => {
                let python = this_interpreter(&py.import("sys")?)?;
                let name = config.name.as_ref().map(ToString::to_string);
                let server = name.unwrap_or_else(|| server.address().to_string());
                let is_after_change = again::is_after_change();
                let source = Source::of(config);
                Self::Restart { source, python, server, log, since, is_after_change }
            }
        })
    }

    /// Watches the files of the user's modules in this process.
    pub fn begin(self) {
        let (source, log, since) = match &self {
            Self::Restart { source, log, since, .. } => (source.clone(), log.clone(), *since),
            Self::Stop { config, log, since, .. } => (Source::of(config), log.clone(), *since),
        };
        let changed = move |path: &Path| self.changed(path);
        if let Err(error) = watch(move || files(source.as_ref()), since, changed) {
            log.error(format_args!("the files of the tasks cannot be watched: {error}"));
        }
    }

    /// For a server whose tasks have failed: waits for a change of their files if such a change was
    /// the reason of its start, because nobody else starts it again. Returns whether they have changed.
    pub fn awaits_change(&self, failure: &str, stopper: &Stopper) -> bool {
        let Self::Restart { source, log, since, is_after_change: true, .. } = self else {
            return false;
        };
        log.critical(format_args!("waiting for a change of the files, because {failure}"));
        let Ok(changed) = changes(source.clone(), *since) else { return false };
        while !stopper.is_ending() {
            if changed.recv_timeout(LOOK).is_ok() {
                log.info("a file has changed: starting again");
                return true;
            }
        }
        false
    }

    /// Acts on a change; returns whether to go on watching.
    fn changed(&self, path: &Path) -> bool {
        let what = path.display();
        match self {
            Self::Restart { python, server, log, .. } => {
                log.info(format_args!("'{what}' has changed: starting again"));
                if let Err(words) = restart(python, server) {
                    log.warning(words.trim());
                }
                true
            }
            Self::Stop { config, stopper, log, plan, .. } => {
                let registry = Registry::of_user();
                let checked = match &registry {
                    Ok(registry) => preflight::check(config, registry, None, &|| false),
                    Err(_) => Ok(()),
                };
                if let Err(why) = checked {
                    log.warning(format_args!("'{what}' has changed, but {why}"));
                    return true;
                }
                log.info(format_args!("'{what}' has changed: starting again"));
                let claim = config.name.as_ref().and_then(|name| claim(registry.ok()?, name));
                let mut then = plan.lock().unwrap_or_else(PoisonError::into_inner);
                (then.again, then.claim) = (true, claim);
                drop(then);
                stopper.stop(GRACE);
                false
            }
        }
    }
}

/// Clients that look for the name wait.
fn claim(registry: Registry, name: &Name) -> Option<Claim> {
    registry.claim_start(name).ok().flatten()
}

/// Runs `bgpy restart`, which ends this server.
///
/// # Errors
/// Why the server was not restarted.
fn restart(python: &Path, server: &str) -> Result<(), String> {
    let mut command = Command::new(python);
    // However long the running task takes, and a correction of the tasks if they fail.
    command.args(["-P", "-m", "bgpy", "restart", server]);
    command.args(["--grace", GRACE_S, "--timeout", GRACE_S]);
    again::note_change(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut words = String::new();
    let ran = spawn_apart(&mut command).and_then(|mut child| {
        if let Some(mut printed) = child.stderr.take() {
            printed.read_to_string(&mut words)?;
        }
        child.wait()
    });
    match ran {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(words),
        Err(error) => Err(format!("bgpy restart cannot be run: {error}")),
    }
}

/// Waits until a file of the tasks has changed `since` a start that failed.
///
/// # Errors
/// The exception of a signal handler, such as KeyboardInterrupt.
pub fn wait_for_change(py: Python<'_>, config: &Config, since: SystemTime) -> PyResult<()> {
    let source = Source::of(config);
    let mut changed = py.detach(|| changes(source, since))?;
    loop {
        py.check_signals()?;
        let waiting = &mut changed;
        if py.detach(move || waiting.recv_timeout(LOOK)).is_ok() {
            return Ok(());
        }
    }
}

/// Tells of the next change of the files.
fn changes(source: Option<Source>, since: SystemTime) -> io::Result<Receiver<()>> {
    let (sender, changed) = channel();
    let tell = move |_: &Path| sender.send(()).is_err();
    // In a thread that gets no signals: they are for this one.
    let begin = || watch(move || files(source.as_ref()), since, tell);
    thread::scope(|scope| scope.spawn(begin).join()).unwrap_or(Ok(()))?;
    Ok(changed)
}

/// The file of the tasks, and those of the user's modules that this process has imported.
fn files(source: Option<&Source>) -> Vec<PathBuf> {
    let listed = |py: Python<'_>| -> PyResult<Vec<PathBuf>> {
        let (file, module) = match source.map(|source| &source.location) {
            Some(Location::File(path)) => (Some(path.as_os_str()), None),
            Some(Location::Module(name)) => (None, Some(name)),
            None => (None, None),
        };
        let listed = py.import("bgpy._tasks_file")?.call_method1("local_files", (file, module))?;
        listed.extract()
    };
    // While the interpreter shuts down, this thread cannot attach any more.
    Python::try_attach(listed).and_then(Result::ok).unwrap_or_default()
}

/// The command that this process was started with.
///
/// # Errors
/// If Python does not know it.
pub fn this_command(py: Python<'_>) -> PyResult<Command> {
    let sys = py.import("sys")?;
    let program: PathBuf = sys.getattr("executable")?.extract()?;
    let words: Vec<std::ffi::OsString> = sys.getattr("orig_argv")?.extract()?;
    let mut command = Command::new(program);
    command.args(words.iter().skip(1));
    Ok(command)
}

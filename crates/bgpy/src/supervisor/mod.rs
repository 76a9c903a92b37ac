//! The process beside a background server that waits for its end, and restarts it if told to.
//!
//! The started process first of all [divides](divide) itself in two: one becomes the server, the
//! other waits for it. So exit code and signal are known, whoever started the server and whether
//! that process still lives. A server that may be restarted gets its name, port and socket from its
//! supervisor, which also keeps the tasks that a client sent.
//!
//! Where processes cannot fork, a supervisor starts the server as another process, and only a server
//! that may be restarted has one.

mod child;
mod held;
mod log;
mod notice;
#[cfg(all(test, unix))]
mod tests;
mod watch;

use std::io;
use std::process::ExitStatus;

use self::child::Child;
use self::held::{HeldResources, Successor};
use self::watch::Start;
use crate::bootstrap::{Orders, Report, StartReporter};
use crate::config::Config;
use crate::error::{FailureKind, ServeError};
use crate::platform::{self, ProcessId, ServerProcess, supervisor_line};
use crate::registry::Registry;
use crate::restart::Times;
use crate::server::{Supervised, SupervisorPipe};

pub use self::watch::Supervisor;

/// The first process of a server.
const FIRST: Successor<'static> = Successor { generation: 0, is_foreground: false, failing: None };
/// Ends this process with the exit code or signal of another one.
pub fn end_like(status: ExitStatus) -> ! {
    platform::end_like(status)
}

/// Resets SIGCHLD if it is inherited as ignored, so that children can be waited for. Only for
/// processes that belong to bgpy, not for programs that import it.
pub fn keep_children() {
    platform::keep_children();
}

/// Why this background server will end with its starter all the same, if the system has arranged that.
pub fn why_tied_to_starter() -> Option<&'static str> {
    platform::why_tied_to_starter()
}

/// The role of a started process.
#[derive(Debug)]
pub enum Role {
    /// The server.
    Server {
        /// Where it reports to.
        reporter: StartReporter,
        /// Its configuration.
        config: Box<Config>,
        /// What its supervisor passes on.
        supervised: Box<Supervised>,
    },
    /// The process that waits for the end of the server.
    Supervisor(Box<Supervisor>),
    /// Neither: the server cannot get its name, port or socket, and the starter was told.
    Refused,
}

/// Reads the configuration from standard input, and decides the role of this process. `fork` copies
/// the process; it returns the child's process id in the parent, and `None` in the child.
///
/// # Errors
/// The system's error; the starter has been told.
pub fn divide(fork: impl FnOnce() -> io::Result<Option<u32>>) -> io::Result<Role> {
    let Orders { mut config, inheritance } = Orders::take()?;
    let registry = Registry::of_user().ok();
    if let Some(inheritance) = inheritance {
        let (reporter, supervised) = held::inherit(&inheritance, &config, registry.as_ref())?;
        return Ok(Role::Server { reporter, config: config.into(), supervised: supervised.into() });
    }
    let mut reporter = StartReporter::to_parent()?;
    let held = match HeldResources::of(&mut config, registry.as_ref()) {
        Ok(held) => held,
        Err(error) => {
            config.log(false).critical(&error);
            reporter.report(&Report::failed(&error));
            return Ok(Role::Refused);
        }
    };
    let child = if platform::FORKS {
        match fork_server(fork, held, &mut reporter)? {
            Side::Parent { child, held } => (child, held),
            Side::Child(reporter, supervised) => {
                let config = config.into();
                return Ok(Role::Server { reporter, config, supervised });
            }
        }
    } else {
        let Some(held) = held else {
            let supervised = Box::default();
            return Ok(Role::Server { reporter, config: config.into(), supervised });
        };
        let started = Child::start(&config, &held, &FIRST);
        let child = started.inspect_err(|error| {
            tell(&mut reporter, "the server's process cannot be started", error)
        })?;
        (child, Some(held))
    };
    let (child, held) = child;
    // A log that stays open here would keep its disk space after it was removed.
    platform::redirect_output(&config.open_nowhere()?)?;
    let starter = Some(reporter);
    let start = Start { config, registry, held, starter, child, is_foreground: false };
    let supervisor = Supervisor::new(start, Times::default())?;
    Ok(Role::Supervisor(supervisor.into()))
}

/// One of the two processes after a fork.
enum Side {
    /// Waits for the other one.
    Parent { child: Child, held: Option<HeldResources> },
    /// Becomes the server.
    Child(StartReporter, Box<Supervised>),
}

/// Divides this process.
fn fork_server(
    fork: impl FnOnce() -> io::Result<Option<u32>>,
    held: Option<HeldResources>,
    starter: &mut StartReporter,
) -> io::Result<Side> {
    let supervisor = ProcessId::own();
    let divided = supervisor_line().and_then(|ends| Ok((ends, fork()?)));
    let ((line, pipe), child) =
        divided.inspect_err(|error| tell(starter, "the process cannot be divided", error))?;
    if let Some(id) = child {
        drop(pipe);
        let child = Child::new(ServerProcess::forked(id)?, line)?;
        return Ok(Side::Parent { child, held });
    }
    crate::fork::be_original();
    drop(line);
    let is_kept = held.is_some();
    let (binding, tasks) = held.map(HeldResources::into_parts).unzip();
    let reporter = StartReporter::to(pipe.try_clone()?);
    let pipe = is_kept.then_some(SupervisorPipe { stream: pipe });
    let supervisor = Some(supervisor);
    let tasks = tasks.flatten();
    let supervised = Supervised { supervisor, binding, pipe, tasks, ..Supervised::default() };
    Ok(Side::Child(reporter, supervised.into()))
}

/// Reports that the process cannot become two.
fn tell(starter: &mut StartReporter, what: &str, error: &io::Error) {
    let message = format!("{what}: {error}");
    starter.report(&Report::Failed { kind: FailureKind::Other, message });
}

/// Runs a server and restarts it when it fails, on the current standard output and error; returns
/// the exit status of the last process.
///
/// # Errors
/// [`ServeError`] if name, port or socket are not available, or the interpreter cannot be started.
pub fn run_in_foreground(mut config: Config) -> Result<ExitStatus, ServeError> {
    let registry = Registry::of_user().ok();
    config.settle();
    let held = HeldResources::of(&mut config, registry.as_ref())?.ok_or_else(|| {
        io::Error::other("a server that is not started again needs no supervisor")
    })?;
    let child = match Child::start(&config, &held, &Successor { is_foreground: true, ..FIRST }) {
        Ok(child) => child,
        Err(error) => {
            held.release();
            return Err(error.into());
        }
    };
    let held = Some(held);
    let start = Start { config, registry, held, starter: None, child, is_foreground: true };
    Ok(Supervisor::new(start, Times::default())?.run())
}

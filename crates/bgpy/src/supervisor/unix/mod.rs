//! How a process divides into a server and its supervisor.

mod child;
mod held;
mod log;
mod notice;
#[cfg(test)]
mod tests;
mod watch;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;

use self::child::Child;
use self::held::{HeldResources, Successor};
use self::watch::Start;
use super::Role;
use crate::bootstrap::{Orders, Report, StartReporter};
use crate::config::Config;
use crate::error::{FailureKind, ServeError};
use crate::platform;
use crate::platform::ProcessId;
use crate::registry::Registry;
use crate::restart::Times;
use crate::server::{Supervised, SupervisorPipe};

pub use self::watch::Supervisor;

/// Whether this system has supervisors.
pub const IS_SUPPORTED: bool = true;

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
    let supervisor = ProcessId::own();
    let divided = UnixStream::pair().and_then(|ends| Ok((ends, fork()?)));
    let ((line, pipe), child) = divided.inspect_err(|error| {
        let message = format!("the process cannot be divided: {error}");
        reporter.report(&Report::Failed { kind: FailureKind::Other, message });
    })?;
    let Some(child) = child else {
        crate::fork::be_original();
        drop((line, reporter));
        let is_kept = held.is_some();
        let (binding, tasks) = held.map(HeldResources::into_parts).unzip();
        let reporter = StartReporter::to(File::from(OwnedFd::from(pipe.try_clone()?)));
        let pipe = is_kept.then_some(SupervisorPipe { stream: pipe });
        let tasks = tasks.flatten();
        let supervised = Supervised {
            supervisor: Some(supervisor),
            binding,
            pipe,
            tasks,
            ..Supervised::default()
        };
        return Ok(Role::Server { reporter, config: config.into(), supervised: supervised.into() });
    };
    drop(pipe);
    // A log that stays open here would keep its disk space after it was removed.
    platform::redirect_output(&OpenOptions::new().write(true).open("/dev/null")?)?;
    let child = Child::forked(child, line)?;
    let starter = Some(reporter);
    let start = Start { config, registry, held, starter, child, is_foreground: false };
    let supervisor = Supervisor::new(start, Times::default())?;
    Ok(Role::Supervisor(supervisor.into()))
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
    let first = Successor { generation: 0, is_foreground: true, failing: None };
    let child = match Child::start(&config, &held, &first) {
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

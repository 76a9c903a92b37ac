//! The process of a background server, from its start to its exit code.

use std::io;

use bgpy::supervisor::{self, Role};
use bgpy::{Ended, Log};
use pyo3::prelude::*;

use super::config::{level, log};
use super::dispositions::{TERMINAL_SIGNALS, take_default_signals};
use super::output;
use super::run::{Hosting, serve};

/// Become the background server that the parent process describes on standard input.
///
/// Returns
/// -------
/// int
///     The exit code of the process: 0 if the server ended in good order, else 1.
#[pyfunction]
pub fn run_background_server(py: Python<'_>) -> PyResult<i32> {
    // Signals of the terminal are left alone until it is known whether this server has one. The supervisor
    // installs its own handlers for them.
    take_default_signals(py, &TERMINAL_SIGNALS)?;
    let (reporter, config, supervised) = match supervisor::divide(|| fork(py))? {
        Role::Server { reporter, config, supervised } => (reporter, config, supervised),
        Role::Supervisor(supervisor) => supervisor::end_like(py.detach(|| supervisor.run())),
        Role::Refused => return Ok(1),
    };
    let without_file = |level| match supervised.is_foreground {
        true => Log::stderr(level),
        false => Log::silent(),
    };
    let log = match &config.log_file {
        // A restart must succeed even if the disk is full.
        Some(path) if supervised.generation > 0 => {
            Log::file_now_or_later(level(py, &config.log_level)?, path)?
        }
        file => log(py, &config.log_level, file.as_ref(), without_file)?,
    };
    if !supervised.is_foreground {
        take_default_signals(py, &[])?;
        log.take_output()?;
    }
    if let Some(why) = supervisor::why_tied_to_starter().filter(|_| !supervised.is_foreground) {
        log.warning(format_args!("this server will end with its starter: {why}"));
    }
    output::prepare(py, &log)?;
    // After `take_output`: the traceback of a crash goes to the log as well.
    py.import("faulthandler")?.call_method0("enable")?;
    // An error has already been reported to the parent and to the log.
    let hosting = Hosting { owns_process: true, ..Hosting::default() };
    let ended = serve(py, &config, log, Some(reporter), *supervised, hosting)?;
    let orderly = matches!(ended, Ok(Ended::Orderly));
    Ok(i32::from(!orderly))
}

/// Forks this process; returns the child's process id in the parent and none in the child.
fn fork(py: Python<'_>) -> io::Result<Option<u32>> {
    // Keeps the collector from writing to objects, so that their memory pages stay shared.
    py.import("gc")?.call_method0("freeze")?;
    let fork = || py.import("os")?.call_method0("fork")?.extract::<u32>();
    let id: u32 = fork()?;
    Ok((id != 0).then_some(id))
}

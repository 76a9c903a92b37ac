//! The process of a background server, from its start to its exit code.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use bgpy::spawn::Config;
use bgpy::supervisor::{self, Role};
use bgpy::{Ended, Journal};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use crate::arguments::level;
use crate::dispositions::{TERMINAL_SIGNALS, take_default_signals};
use crate::errors::error;
use crate::pickle;
use crate::prints;
use crate::serve::serve;
use crate::tasks::Origin;

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
        #[cfg(unix)]
        Role::Supervisor(supervisor) => supervisor::end_like(py.detach(|| supervisor.run())),
        Role::Refused => return Ok(1),
    };
    let level = level(py, &config.log_level)?;
    let journal = match &config.log_file {
        // A restart must succeed even if the disk is full.
        Some(path) if supervised.generation > 0 => Journal::file_now_or_later(level, path)?,
        Some(path) => Journal::file(level, path)?,
        None if supervised.is_foreground => Journal::stderr(level),
        None => Journal::silent(),
    };
    if !supervised.is_foreground {
        take_default_signals(py, &[])?;
        journal.take_output()?;
    }
    prints::prepare(py, &journal)?;
    // After `take_output`: the traceback of a crash goes to the log as well.
    py.import("faulthandler")?.call_method0("enable")?;
    // An error has already been reported to the parent and to the log.
    let ended = serve(py, &config, journal, Some(reporter), *supervised, true)?;
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

/// The entries of `sys.path` that are text; Python ignores any others.
pub fn search_path(sys: &Bound<'_, PyModule>) -> PyResult<Vec<OsString>> {
    let path = sys.getattr("path")?.cast_into::<PyList>()?;
    let places = path.iter().filter_map(|place| place.cast_into::<PyString>().ok());
    places.map(|place| place.extract()).collect()
}

/// Appends to `sys.path` the directory of the tasks file, as for a script, and then the parent's search path.
/// Appended, because no file there may hide a module of Python or of a package.
pub fn extend_search_path(py: Python<'_>, config: &Config) -> PyResult<()> {
    let tasks = config.init_file.as_deref().map(std::path::absolute).transpose()?;
    let beside = tasks.as_deref().and_then(Path::parent).map(Path::as_os_str);
    let path = py.import("sys")?.getattr("path")?;
    for place in beside.into_iter().chain(config.search_path.iter().map(OsString::as_os_str)) {
        if !path.contains(place)? {
            path.call_method1("append", (place,))?;
        }
    }
    Ok(())
}

/// Runs `act` while another thread imports the modules that pickle tasks, if a client has to send tasks to
/// this server. The import takes a third as long as the start of a server.
pub fn preparing<T>(py: Python<'_>, config: &Config, act: impl FnOnce() -> T) -> T {
    let begin = || thread::Builder::new().spawn(|| Python::attach(pickle::prepare_dumps)).ok();
    let ahead = Origin::of(config).is_none().then(begin).flatten();
    let done = act();
    py.detach(|| drop(ahead.map(thread::JoinHandle::join)));
    done
}

/// The path of the running interpreter.
pub fn this_interpreter(sys: &Bound<'_, PyModule>) -> PyResult<PathBuf> {
    let path: Option<PathBuf> = sys.getattr("executable")?.extract()?;
    path.filter(|path| !path.as_os_str().is_empty()).ok_or_else(|| {
        let text = "sys.executable is not set, so there is no interpreter to run the server with: \
                    pass python=...";
        error(sys.py(), "StartError", text)
    })
}

/// An exit status in Python's form: the exit code, or the negative number of the signal.
pub fn exit_code(status: std::process::ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Some(-signal);
    }
    status.code()
}

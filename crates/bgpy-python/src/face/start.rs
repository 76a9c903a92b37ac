//! `Server.run_background`: what is around the start itself.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::thread;

use bgpy::config::Config;
use bgpy::registry::Entry;
use bgpy::start::attach::{Started, start_or_attach};
use bgpy::{Name, Wait, start};
use pyo3::prelude::*;

use super::arguments::{limit, waiting_told};
use super::errors::start_error;
use super::server::Server;
use super::started::lock;
use crate::codec::pickle;
use crate::exceptions::{Class, config_error, error};
use crate::serve::interpreter::{search_path, this_interpreter};
use crate::serve::source::{Source, is_being_imported};

/// The arguments of a start, as Python passes them.
pub struct How {
    pub exist_ok: bool,
    pub replace: bool,
    pub env: Option<HashMap<OsString, OsString>>,
    pub cwd: Option<PathBuf>,
    pub python: Option<PathBuf>,
}

impl Server {
    /// Starts the server in the background.
    pub(super) fn start(&self, py: Python<'_>, timeout: Option<f64>, how: How) -> PyResult<()> {
        if let Some(pid) = self.pid() {
            let text = format!("{self} is already running (pid {pid})");
            return Err(error(py, Class::StartError, text));
        }
        check_choice(py, &how, self.config.name.as_ref())?;
        let How { exist_ok, replace, env, cwd, python } = how;
        if let Some(path) = cwd.as_deref().filter(|path| !path.is_dir()) {
            let text = format!("no such directory: '{}' (cwd)", path.display());
            return Err(error(py, Class::ConfigError, text));
        }
        let sys = py.import("sys")?;
        let interpreter = match python {
            Some(python) => python,
            None => this_interpreter(&sys)?,
        };
        let mut config = self.config.clone();
        config.search_path = search_path(&sys)?;
        config.tasks_fingerprint = self.tasks_fingerprint.get().cloned();
        // The server may have another working directory.
        for path in [&mut config.log_file, &mut config.init_file].into_iter().flatten() {
            *path = std::path::absolute(&*path)?;
        }
        if let Some(text) = recursion(py, &config)? {
            return Err(error(py, Class::StartError, text));
        }
        let environment = env.into_iter().flatten().collect();
        config.launch = Some(bgpy_cli::launch(interpreter, &config, cwd, environment));
        let limit = limit(py, timeout)?;
        let start = |wait: &Wait<'_>| match &self.config.name {
            Some(name) if exist_ok => start_or_attach(name, &config, wait),
            Some(name) if replace => start::replace(name, config.clone(), wait).map(Started::Here),
            _ => start::start(config.clone(), wait).map(Started::Here),
        };
        let started = preparing(py, &config, || waiting_told(py, limit, start))?;
        let started = started.map_err(|error| start_error(py, &error))?;
        if let Started::Attached(entry) = &started {
            warn_of_differences(py, entry, &config)?;
        }
        *lock(&self.started) = Some(started);
        Ok(())
    }

    /// Ends the server if this process has started it as this instance, and starts it again at the same
    /// place; returns whether it is this one.
    pub(super) fn renew_here(&self, py: Python<'_>, instance: &str) -> PyResult<bool> {
        let entry = self.child().and_then(|child| child.entry());
        let Some(entry) = entry.filter(|entry| entry.instance == instance) else {
            return Ok(false);
        };
        let renewed = waiting_told(py, None, |wait| start::renew(&entry, wait))?;
        let renewed = renewed.map_err(|error| start_error(py, &error))?;
        *lock(&self.started) = Some(Started::Here(renewed));
        Ok(true)
    }
}

/// Runs `act` while another thread imports the modules that pickle tasks, if a client has to send tasks to
/// this server. The import takes a third as long as the start of a server.
fn preparing<T>(py: Python<'_>, config: &Config, act: impl FnOnce() -> T) -> T {
    let begin = || thread::Builder::new().spawn(|| Python::attach(pickle::prepare_dumps)).ok();
    let ahead = Source::of(config).is_none().then(begin).flatten();
    let done = act();
    py.detach(|| drop(ahead.map(thread::JoinHandle::join)));
    done
}

/// Warns of what the server that was found has otherwise than this start asks for.
fn warn_of_differences(py: Python<'_>, entry: &Entry, asked: &Config) -> PyResult<()> {
    let differences = start::differences(entry, asked);
    if differences.is_empty() {
        return Ok(());
    }
    let text = format!(
        "the server '{}' already runs with other settings: {}; to change that, pass replace=True instead of exist_ok=True",
        entry.target(),
        differences.join("; "),
    );
    py.import("bgpy._warnings")?.call_method1("warn", (text,)).map(drop)
}

/// Checks what a start is to do about a server that has its name.
fn check_choice(py: Python<'_>, how: &How, name: Option<&Name>) -> PyResult<()> {
    let text = match (how.exist_ok, how.replace, name) {
        (true, true, _) => "exist_ok and replace cannot be combined: pass one of them",
        (true, false, None) => "exist_ok=True needs a name to look for: pass name=...",
        (false, true, None) => "replace=True needs a name to look for: pass name=...",
        _ => return Ok(()),
    };
    Err(config_error(py, text))
}

/// Why this start must be refused: it runs during an import that would be repeated by the server that it
/// starts, and each of those would start the next.
fn recursion(py: Python<'_>, config: &Config) -> PyResult<Option<String>> {
    const ADVICE: &str = "put the start under if __name__ == '__main__':";
    if is_being_imported(config) {
        let text = format!("importing the tasks starts a server with the same tasks: {ADVICE}");
        return Ok(Some(text));
    }
    let importer: Option<String> =
        py.import("bgpy._code.local")?.call_method0("importer")?.extract()?;
    Ok(importer.map(|it| format!("{it}, starts a server: {ADVICE}")))
}

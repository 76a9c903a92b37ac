//! `ServerInfo`, and the functions behind `bgpy.servers`: listing servers, and their table.

use std::path::PathBuf;

use bgpy::registry::Registry;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::{limit, timeout, waiting};
use super::status::status_dict;
use crate::exceptions::{Class, error};

/// A server of this user on this machine, as it was when it was listed.
#[pyclass(module = "bgpy", frozen)]
pub struct ServerInfo(bgpy::ServerInfo);

#[pymethods]
impl ServerInfo {
    /// The server's name, or None.
    #[getter]
    fn name(&self) -> Option<&str> {
        self.0.entry.name.as_ref().map(bgpy::Name::as_str)
    }

    /// STARTING, UNINITIALIZED, READY, BUSY, STOPPING, EXITED, FAILED, RESTARTING or STALE.
    #[getter]
    fn state(&self) -> &'static str {
        self.0.state.as_str()
    }

    /// Why it has failed, is being restarted or is stale, or None.
    #[getter]
    fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Process id.
    #[getter]
    fn pid(&self) -> u32 {
        self.0.entry.process.pid
    }

    /// Its identity, which stays the same over restarts.
    #[getter]
    fn instance(&self) -> &str {
        &self.0.entry.instance
    }

    /// How many times it has been restarted after a failure, and so has lost its state.
    #[getter]
    fn generation(&self) -> u32 {
        self.0.entry.generation
    }

    /// How many times it has failed since it last took calls for a minute.
    #[getter]
    fn failures(&self) -> u32 {
        self.0.failures()
    }

    /// How it last failed, or None.
    #[getter]
    fn last_failure(&self) -> Option<&str> {
        self.0.entry.failing.as_ref().map(|failing| failing.last.as_str())
    }

    /// Time of its next start, in seconds since 1970, while it is RESTARTING, or None.
    #[getter]
    fn next_try(&self) -> Option<f64> {
        let failing = self.0.entry.failing.as_ref()?;
        let is_paused = self.0.state == bgpy::survey::ServerState::Restarting;
        failing.next_ms.filter(|_| is_paused).map(|ms| ms as f64 / 1000.0)
    }

    /// Host and port, as ``connect`` takes them.
    #[getter]
    fn address(&self) -> String {
        self.0.entry.address.to_string()
    }

    /// Path of its Unix socket, or None.
    #[getter]
    fn socket(&self) -> Option<&PathBuf> {
        self.0.entry.socket.as_ref()
    }

    /// Path of its log, or None.
    #[getter]
    fn log_file(&self) -> Option<&PathBuf> {
        self.0.entry.log_file.as_ref()
    }

    /// Exit code of its process, negative for a signal; None while it runs, or if it is unknown.
    #[getter]
    fn exit_code(&self) -> Option<i32> {
        let ending = self.0.entry.ending.as_ref()?;
        ending.signal.map(|signal| -signal).or(ending.code)
    }

    /// Its status, as `Client.status` returns it, but without the connection that asked among its clients; None
    /// if it did not answer.
    #[getter]
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.0.status.as_ref().map(|status| status_dict(py, status)).transpose()
    }

    fn __repr__(&self) -> String {
        format!("<ServerInfo {}: {}, pid {}>", self.0.entry.target(), self.0.state, self.pid())
    }
}

/// List servers; see `bgpy.servers`.
#[pyfunction]
pub fn survey(
    py: Python<'_>,
    ended: bool,
    #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
) -> PyResult<Vec<ServerInfo>> {
    let registry = Registry::of_user().map_err(|source| {
        error(py, Class::ConfigError, format!("the registry of servers cannot be used: {source}"))
    })?;
    registry.trust().map_err(|doubt| error(py, Class::ConfigError, doubt.to_string()))?;
    let limit = limit(py, timeout)?;
    let infos = waiting(py, limit, |wait| bgpy::survey::survey(&registry, ended, wait))?;
    let infos = infos
        .map_err(|error_of_system| error(py, Class::ConnectError, error_of_system.to_string()))?;
    Ok(infos.into_iter().map(ServerInfo).collect())
}

/// Return servers as a table, its columns aligned with spaces or divided by a separator.
#[pyfunction]
#[pyo3(signature = (servers, separator=None))]
pub fn table(servers: Vec<PyRef<'_, ServerInfo>>, separator: Option<&str>) -> String {
    let infos: Vec<_> = servers.iter().map(|info| &info.0).collect();
    let table = bgpy_cli::servers_table(&infos);
    match separator {
        Some(separator) => table.separated(separator),
        None => table.aligned(None),
    }
}

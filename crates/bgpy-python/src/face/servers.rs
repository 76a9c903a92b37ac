//! `ServerInfo`, and the functions behind `bgpy.servers`: listing servers, and their table.

use std::path::PathBuf;

use crate::once::Once;
use bgpy::registry::Registry;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator};

use super::arguments::{limit, timeout, waiting};
use super::html;
use super::status::status_dict;
use crate::exceptions::{Class, error};

/// A server of this user on this machine, as it was when it was listed.
///
/// It is also a mapping of plain values, with the fields of `status` among its own: ``dict(info)`` is a
/// row of a table, and ``pandas.DataFrame(bgpy.servers())`` the table.
#[pyclass(module = "bgpy", frozen, mapping)]
pub struct ServerInfo {
    info: bgpy::ServerInfo,
    row: Once<Py<PyDict>>,
}

#[pymethods]
impl ServerInfo {
    /// The server's name, or None.
    #[getter]
    fn name(&self) -> Option<&str> {
        self.info.entry.name.as_ref().map(bgpy::Name::as_str)
    }

    /// STARTING, UNINITIALIZED, READY, BUSY, STOPPING, EXITED, FAILED, RESTARTING or STALE.
    #[getter]
    fn state(&self) -> &'static str {
        self.info.state.as_str()
    }

    /// Why it has failed, is being restarted or is stale, or None.
    #[getter]
    fn reason(&self) -> Option<&str> {
        self.info.reason.as_deref()
    }

    /// Process id.
    #[getter]
    fn pid(&self) -> u32 {
        self.info.entry.pid()
    }

    /// Its identity, which stays the same over restarts.
    #[getter]
    fn instance(&self) -> &str {
        &self.info.entry.instance
    }

    /// Number of restarts after failures; each one lost the state.
    #[getter]
    fn generation(&self) -> u32 {
        self.info.entry.generation
    }

    /// Number of failures since it was last healthy (up for a minute).
    #[getter]
    fn failures(&self) -> u32 {
        self.info.failures()
    }

    /// How it last failed, or None.
    #[getter]
    fn last_failure(&self) -> Option<&str> {
        self.info.entry.failing.as_ref().map(|failing| failing.last.as_str())
    }

    /// Time of its next start, in seconds since 1970, while it is RESTARTING, or None.
    #[getter]
    fn next_try(&self) -> Option<f64> {
        let failing = self.info.entry.failing.as_ref()?;
        let is_paused = self.info.state == bgpy::survey::ServerState::Restarting;
        failing.next_ms.filter(|_| is_paused).map(|ms| ms as f64 / 1000.0)
    }

    /// Host and port, as ``connect`` takes them.
    #[getter]
    fn address(&self) -> String {
        self.info.entry.address.to_string()
    }

    /// Path of its Unix socket, or None.
    #[getter]
    fn socket(&self) -> Option<&PathBuf> {
        self.info.entry.socket.as_ref()
    }

    /// Path of its log, or None.
    #[getter]
    fn log_file(&self) -> Option<&PathBuf> {
        self.info.entry.log_file.as_ref()
    }

    /// Exit code of its process, negative for a signal; None while it runs, or if it is unknown.
    #[getter]
    fn exit_code(&self) -> Option<i32> {
        let ending = self.info.entry.ending.as_ref()?;
        ending.signal.map(|signal| -signal).or(ending.code)
    }

    /// Its status, as `Client.status` returns it, but without the connection that asked among its clients; None
    /// if it did not answer.
    #[getter]
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.info.status.as_ref().map(|status| status_dict(py, status)).transpose()
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let found = self.row(py)?.get_item(key)?;
        found.ok_or_else(|| PyKeyError::new_err(key.clone().unbind()))
    }

    fn __contains__(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.row(py)?.contains(key)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.row(py)?.try_iter()
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.row(py)?.len())
    }

    /// Return the value of a key, or a default.
    #[pyo3(signature = (key, default=None, /))]
    fn get<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.row(key.py())?.get_item(key)?.or(default))
    }

    /// Return the keys.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.row(py)?.call_method0("keys")
    }

    /// Return the values.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.row(py)?.call_method0("values")
    }

    /// Return pairs of a key and its value.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.row(py)?.call_method0("items")
    }

    fn __repr__(&self) -> String {
        format!(
            "<ServerInfo {}: {}, pid {}>",
            self.info.entry.target(),
            self.info.state,
            self.pid()
        )
    }

    fn _repr_html_(&self) -> String {
        html::table(&bgpy_cli::servers_table(&[&self.info]))
    }
}

impl ServerInfo {
    /// The server as plain values.
    fn row<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        let row = self.row.get_or_try_init(py, || self.new_row(py).map(Bound::unbind))?;
        Ok(row.bind(py))
    }

    fn new_row<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let status = self.info.status.as_ref();
        let text = |path: Option<&PathBuf>| path.map(|path| path.display().to_string());
        let row = PyDict::new(py);
        row.set_item("name", self.name())?;
        row.set_item("state", self.state())?;
        row.set_item("pid", self.pid())?;
        row.set_item("address", self.address())?;
        row.set_item("uptime_s", status.map(|status| status.uptime_s))?;
        row.set_item("calls", status.map(|status| status.calls))?;
        row.set_item("queue", status.map(|status| status.queue))?;
        row.set_item("clients", status.map(|status| status.clients))?;
        row.set_item("rss_bytes", status.and_then(|status| status.rss_bytes))?;
        row.set_item("task", status.and_then(|status| status.task.as_ref()))?;
        row.set_item("busy_s", status.and_then(|status| status.busy_s))?;
        row.set_item("reason", self.reason())?;
        row.set_item("exit_code", self.exit_code())?;
        row.set_item("generation", self.generation())?;
        row.set_item("failures", self.failures())?;
        row.set_item("last_failure", self.last_failure())?;
        row.set_item("next_try", self.next_try())?;
        row.set_item("socket", text(self.socket()))?;
        row.set_item("log_file", text(self.log_file()))?;
        row.set_item("instance", self.instance())?;
        Ok(row)
    }
}

/// Lets libraries that read rows from mappings take servers for some.
///
/// # Errors
/// Python's error.
pub fn register_as_mapping(py: Python<'_>) -> PyResult<()> {
    // Not by `PyMapping::register`, which imports `collections`: that takes one to two milliseconds.
    let mapping = py.import("_collections_abc")?.getattr("Mapping")?;
    mapping.call_method1("register", (py.get_type::<ServerInfo>(),)).map(drop)
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
    let listed = |info| ServerInfo { info, row: Once::new() };
    Ok(infos.into_iter().map(listed).collect())
}

/// Return servers as a table of aligned columns, or of HTML.
#[pyfunction]
#[pyo3(signature = (servers, as_html=false))]
pub fn table(servers: Vec<PyRef<'_, ServerInfo>>, as_html: bool) -> String {
    let infos: Vec<_> = servers.iter().map(|server| &server.info).collect();
    let table = bgpy_cli::servers_table(&infos);
    if as_html { html::table(&table) } else { table.aligned(None) }
}

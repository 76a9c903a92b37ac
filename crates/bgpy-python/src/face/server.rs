//! The class `Server`: it starts a server in the foreground or in the background.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use bgpy::config::Config;
use bgpy::misspelling::nearest_file;
use bgpy::start::Background;
use bgpy::start::attach::Started;
use bgpy::{CallError, Name, limits};
use pyo3::prelude::*;

use super::arguments::{
    allow_pickle, allow_weak_token, auth, cwd, env, exist_ok, follow, host, idle_timeout,
    init_file, init_module, init_object, limit, lines, log_file, log_level, max_message_bytes,
    name, number_of_threads, python, replace, restart, restart_policy, server_port, threads,
    timeout, token, unused, waiting,
};
use super::errors::late;
use super::log_reader::{self, LogReader};
use super::notebook;
use super::start::How;
use crate::exceptions::config_error;
use crate::serve::config::{address, level};
use crate::serve::interpreter::python_exit_code;

/// A server, described by its address and options; start it with `run_background` or `run`.
///
/// As a context manager, it starts in the background unless it is running, and stops at the end of the
/// block.
///
/// Parameters
/// ----------
/// host : str, default "127.0.0.1"
///     Name or IP address to listen on.
/// port : int, default 0
///     Port to listen on; 0 picks a free port, which `port` returns once the server is running.
/// token : str, optional
///     Secret that clients must know. By default the value of the environment variable ``BGPY_TOKEN``,
///     or else a generated token, which clients of the same user on this machine find in the registry.
/// log_level : str, default "INFO"
///     DEBUG, INFO, WARNING, ERROR or CRITICAL.
/// log_file : path, optional
///     File to append the log to. By default, a background server logs to a file in the user's runtime
///     directory, and a foreground server logs to standard error.
/// init_file : path, optional
///     Python file that defines ``init_task``, ``exec_task`` and, if needed, ``exit_task``. The server
///     loads it before it is ready.
/// name : str, optional
///     Name by which clients of the same user find the server on this machine: a letter, and up to 63
///     more letters, digits, ``.``, ``_`` or ``-``. Only one running server can have a name.
/// init_module : str, optional
///     Module that defines the tasks, which the server imports instead of loading `init_file`.
/// init_object : str, optional
///     Class or function in that file or module that makes the server's object, whose methods clients call
///     (see `bgpy.connect`). Without it, the file or module defines tasks.
/// idle_timeout : float, optional
///     Seconds without a call after which the server runs ``exit_task`` and stops.
/// threads : int, optional
///     How many methods with ``read=True`` run beside each other, from 1 to 1024; the number of CPUs and
///     4 more by default, at most 32.
/// restart : str, default "never"
///     "on-failure" restarts a background server that crashes, with growing pauses. It gives up after
///     more than 5 failures ("on-failure:N": N), if at least five minutes have passed without the server
///     having been up for a minute. The server keeps its address and name, and gets its tasks from its file or module, or those that the
///     first client sent. Clients that call in the meantime wait.
/// auth : bool, default True
///     Whether clients must know the token. With False, only loopback addresses are allowed, and clients
///     that do not find the server in their registry must pass ``auth=False`` too.
/// allow_weak_token : bool, default False
///     Whether a guessable token is allowed on an address that other machines can reach.
/// allow_pickle : bool, default True
///     Whether the server unpickles what clients send. With False, it accepts only plain data (see
///     `Client`), clients refuse to send anything else, and the tasks must come from `init_file` or
///     `init_module`.
/// max_message_bytes : int, optional
///     Maximum size of a message from a client, in bytes; clients refuse to send a larger one. 1 TiB by
///     default.
///
/// Raises
/// ------
/// ConfigError
///     If an argument is invalid.
#[pyclass(module = "bgpy", frozen, weakref)]
pub struct Server {
    /// As the constructor was called, without what only a start adds.
    pub(super) config: Config,
    pub(super) started: Mutex<Option<Started>>,
    /// Tells the functions that a client will send as tasks from others, if they are known.
    pub(super) tasks_fingerprint: OnceLock<String>,
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (host="127.0.0.1", port=0, token=None, log_level="INFO", log_file=None, init_file=None, *, name=None, init_module=None, init_object=None, idle_timeout=None, threads=None, restart="never", auth=true, allow_weak_token=false, allow_pickle=true, max_message_bytes=None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the keywords of the Python constructor"
    )]
    fn new(
        py: Python<'_>,
        #[pyo3(from_py_with = host)] host: &str,
        #[pyo3(from_py_with = server_port)] port: i64,
        #[pyo3(from_py_with = token)] token: Option<String>,
        #[pyo3(from_py_with = log_level)] log_level: &str,
        #[pyo3(from_py_with = log_file)] log_file: Option<PathBuf>,
        #[pyo3(from_py_with = init_file)] init_file: Option<PathBuf>,
        #[pyo3(from_py_with = name)] name: Option<String>,
        #[pyo3(from_py_with = init_module)] init_module: Option<String>,
        #[pyo3(from_py_with = init_object)] init_object: Option<String>,
        #[pyo3(from_py_with = idle_timeout)] idle_timeout: Option<f64>,
        #[pyo3(from_py_with = threads)] threads: Option<i64>,
        #[pyo3(from_py_with = restart)] restart: &str,
        #[pyo3(from_py_with = auth)] auth: bool,
        #[pyo3(from_py_with = allow_weak_token)] allow_weak_token: bool,
        #[pyo3(from_py_with = allow_pickle)] allow_pickle: bool,
        #[pyo3(from_py_with = max_message_bytes)] max_message_bytes: Option<u64>,
    ) -> PyResult<Self> {
        let place = address(py, host, port, true)?;
        level(py, log_level)?;
        if token.as_deref() == Some("") {
            return Err(config_error(py, "the token is empty: create one with token_create()"));
        }
        if init_file.is_some() && init_module.is_some() {
            let text = "init_file and init_module cannot be combined: pass one of them";
            return Err(config_error(py, text));
        }
        if let Some(path) = init_file.as_ref().filter(|path| !path.is_file()) {
            let hint = nearest_file(path);
            let hint = hint.map(|file| format!("; did you mean '{}'?", file.display()));
            let text = format!("no such file: '{}' (init_file)", path.display());
            return Err(config_error(py, text + &hint.unwrap_or_default()));
        }
        if init_object.is_some() && init_file.is_none() && init_module.is_none() {
            let text = "init_object needs the init_file or init_module that defines it";
            return Err(config_error(py, text));
        }
        let name = name.map(|name| name.parse()).transpose();
        let config = Config {
            host: place.host,
            port: place.port,
            token,
            log_level: log_level.to_owned(),
            log_file,
            init_file,
            name: name.map_err(|error: String| config_error(py, error))?,
            init_module,
            init_object,
            restart: restart_policy(py, restart)?,
            idle_timeout_s: unused(py, idle_timeout)?,
            threads: threads.map(|threads| number_of_threads(py, threads)).transpose()?,
            auth,
            allow_weak_token,
            allow_pickle,
            message_bytes_max: max_message_bytes.unwrap_or(limits::MESSAGE_BYTES_MAX),
            ..Config::default()
        };
        Ok(Self { config, started: Mutex::new(None), tasks_fingerprint: OnceLock::new() })
    }

    /// Start the server in the background and return when it is ready.
    ///
    /// It keeps running after this process ends. It inherits this process's working directory and
    /// environment unless `cwd` and `env` say otherwise.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Maximum time to wait, in seconds. A server that is not ready by then is killed.
    /// exist_ok : bool, default False
    ///     Whether to succeed if a server of this name is already running; needs `name`. If several
    ///     processes start the same name at the same time, exactly one starts it and the others use it.
    /// replace : bool, default False
    ///     Whether to end the server of this name, if there is one, after the calls that it has accepted,
    ///     and to start this one in its place, at the same address and with the same token unless others
    ///     are given; needs `name`. Clients that call in the meantime wait. The old server keeps running if the
    ///     new one is known not to start. If the old one takes longer than a second to end, standard error says
    ///     what is waited for.
    /// env : dict of str to str, optional
    ///     Environment variables to set for the server, in addition to those of this process.
    /// cwd : path, optional
    ///     Working directory of the server.
    /// python : path, optional
    ///     Interpreter to run the server with. bgpy must be installed for it.
    ///
    /// Raises
    /// ------
    /// AddressInUse
    ///     If another program listens on the address.
    /// StartError
    ///     If the server fails to start for another reason, which the message quotes.
    /// NameTaken
    ///     If a server of this name is already running. It is a `StartError`.
    /// ConfigError
    ///     If `cwd` is not a directory, the log file cannot be written, or the token is too weak for the
    ///     address.
    /// CallTimeout
    ///     If the server is not ready, or the one to be replaced has not ended, within `timeout` seconds.
    #[pyo3(signature = (timeout=None, *, exist_ok=false, replace=false, env=None, cwd=None, python=None))]
    #[expect(clippy::too_many_arguments, reason = "they are the keywords of the Python method")]
    fn run_background(
        slf: &Bound<'_, Self>,
        py: Python<'_>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
        #[pyo3(from_py_with = exist_ok)] exist_ok: bool,
        #[pyo3(from_py_with = replace)] replace: bool,
        #[pyo3(from_py_with = env)] env: Option<HashMap<OsString, OsString>>,
        #[pyo3(from_py_with = cwd)] cwd: Option<PathBuf>,
        #[pyo3(from_py_with = python)] python: Option<PathBuf>,
    ) -> PyResult<()> {
        let how = How { exist_ok, replace, env, cwd, python };
        slf.get().start(py, timeout, how)?;
        notebook::note(slf)
    }

    /// Return whether a server responds at this address.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, default 5.0
    ///     Maximum time to wait for the response, in seconds.
    ///
    /// Returns
    /// -------
    /// bool
    ///     True also if the server responds but is full.
    #[pyo3(signature = (timeout=5.0))]
    fn is_alive(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let limit = limit(py, Some(timeout))?;
        if py.detach(|| self.has_ended()) {
            return Ok(false);
        }
        let link = self.client(py)?;
        let answer = waiting(py, limit, |wait| link.ping(wait))?;
        // A server with too many clients refuses the ping, and so is alive.
        Ok(matches!(answer, Ok(()) | Err(CallError::Failed { .. })))
    }

    /// Wait until the server has ended.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Maximum time to wait, in seconds.
    ///
    /// Returns
    /// -------
    /// int or None
    ///     The exit code, negative for a signal; None if this process did not start the server, or its
    ///     exit status is unknown.
    ///
    /// Raises
    /// ------
    /// CallTimeout
    ///     If the server has not ended within `timeout` seconds. If only its process is still alive, the
    ///     message says what that waits for.
    #[pyo3(signature = (timeout=None))]
    fn wait(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Option<i32>> {
        let Some(child) = self.child() else {
            return self
                .see_to_end(py, timeout, |client, wait| client.wait_ended(wait))
                .map(|()| None);
        };
        let outcome = waiting(py, limit(py, timeout)?, |wait| child.wait(wait))?;
        let status = outcome.map_err(|hindrance| late(py, self, timeout, hindrance))?;
        Ok(status.and_then(python_exit_code))
    }

    /// Stop the server through its `exit_task`, and wait until its process has ended.
    ///
    /// It is not an error if the server is not running.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Maximum time to wait, in seconds.
    ///
    /// Raises
    /// ------
    /// CallTimeout
    ///     If the server and its process have not ended within `timeout` seconds. If it is known what
    ///     the process waits for, the message says so.
    #[pyo3(signature = (timeout=None))]
    fn stop(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<()> {
        self.see_to_end(py, timeout, |client, wait| client.end(wait))
    }

    /// Return the end of the server's log, with everything that its tasks print, also after its end.
    ///
    /// Parameters
    /// ----------
    /// lines : int, default 100
    ///     Number of lines.
    /// follow : bool, default False
    ///     Whether to return an iterator, which goes on with new lines until the server ends.
    ///
    /// Returns
    /// -------
    /// str or iterator of str
    ///     The text, which a notebook displays as it is; with `follow` the lines.
    ///
    /// Raises
    /// ------
    /// BgpyError
    ///     If the server has no log file, or it cannot be read. `Client.logs` asks the server instead.
    #[pyo3(signature = (lines=100, follow=false))]
    fn logs<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = lines)] lines: u64,
        #[pyo3(from_py_with = follow)] follow: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        log_reader::logs(py, LogReader::of_server(py, self, lines, follow)?)
    }

    /// Note which functions a client will send as tasks.
    #[pyo3(name = "_note_tasks")]
    fn note_tasks(&self, fingerprint: String) {
        drop(self.tasks_fingerprint.set(fingerprint));
    }

    /// Start the server again at the same place, without tasks, if it is this one and runs; return whether
    /// it is.
    #[pyo3(name = "_renew")]
    fn renew(&self, py: Python<'_>, instance: &str) -> PyResult<bool> {
        self.renew_here(py, instance)
    }

    /// Kill the server that this process started, because its tasks have not.
    #[pyo3(name = "_abandon")]
    fn abandon(&self, py: Python<'_>, reason: &str) {
        if let Some(child) = self.child() {
            py.detach(|| child.abandon(reason));
        }
    }

    /// Host to listen on.
    #[getter]
    pub fn host(&self) -> &str {
        &self.config.host
    }

    /// Port to listen on; after a start in the background, the port that the server listens on.
    #[getter]
    pub fn port(&self) -> u16 {
        self.known(|background| background.address.port(), |entry| entry.address.port())
            .unwrap_or(self.config.port)
    }

    /// Name as passed, or None.
    #[getter]
    fn name(&self) -> Option<&str> {
        self.config.name.as_ref().map(Name::as_str)
    }

    /// The server's name, or its address if it has none, as `connect` and `Client` take it.
    #[getter]
    #[pyo3(name = "target")]
    fn target_text(&self) -> String {
        self.target().to_string()
    }

    /// Token as passed, or None.
    #[getter]
    fn token(&self) -> Option<&str> {
        self.config.token.as_deref()
    }

    /// Log level as passed.
    #[getter]
    fn log_level(&self) -> &str {
        &self.config.log_level
    }

    /// Log file as passed; after a start in the background, the file that the server logs to.
    #[getter]
    pub(super) fn log_file(&self) -> Option<PathBuf> {
        let log_file = |background: &Background| background.log_file.clone();
        self.known(log_file, |entry| entry.log_file.clone()).unwrap_or(self.config.log_file.clone())
    }

    /// File with the tasks as passed, or None.
    #[getter]
    fn init_file(&self) -> Option<&PathBuf> {
        self.config.init_file.as_ref()
    }

    /// Module with the tasks as passed, or None.
    #[getter]
    fn init_module(&self) -> Option<&str> {
        self.config.init_module.as_deref()
    }

    /// Class or function that makes the server's object as passed, or None.
    #[getter]
    fn init_object(&self) -> Option<&str> {
        self.config.init_object.as_deref()
    }

    /// Process id of the server, or None before a start in the background.
    #[getter]
    pub(super) fn pid(&self) -> Option<u32> {
        self.known(Background::pid, |entry| entry.pid())
    }

    /// Whether this process started the server, in the background.
    #[getter]
    fn is_started_here(&self) -> bool {
        self.child().is_some()
    }

    fn __enter__<'py>(slf: Bound<'py, Self>, py: Python<'py>) -> PyResult<Bound<'py, Self>> {
        if slf.get().pid().is_none() {
            Self::run_background(&slf, py, None, false, false, None, None, None)?;
        }
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) -> PyResult<()> {
        self.stop(py, None)
    }

    fn __repr__(&self) -> String {
        let name = self.config.name.as_ref().map(|name| format!(", name={:?}", name.as_str()));
        format!("Server({:?}, {}{})", self.host(), self.port(), name.unwrap_or_default())
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        self.properties(py).map(|shown| shown.html())
    }
}

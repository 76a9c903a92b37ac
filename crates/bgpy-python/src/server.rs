//! The server, in the foreground and in the background.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Mutex;

use bgpy::config::Config;
use bgpy::server::Supervised;
use bgpy::start::attach::{Started, start_or_attach};
use bgpy::start::{self, Background};
use bgpy::{CallError, Ended, Journal, Name, Restart, Wait, limits};
use pyo3::prelude::*;

use crate::arguments::{
    address, allow_pickle, allow_weak_token, auth, cwd, env, exist_ok, host, idle_timeout,
    init_file, init_module, level, limit, log_file, log_level, max_message_bytes, name, python,
    restart, restart_policy, server_port, timeout, token, unused, waiting,
};
use crate::background::{exit_code, preparing, search_path, this_interpreter};
use crate::errors::{config_error, error, late, serve_error, start_error, told};
use crate::serve::serve;
use crate::started::lock;
use crate::tasks;

/// A server: where it listens and how it behaves. It starts with `run_background` or `run`.
///
/// As a context manager it starts in the background, unless it runs, and stops at the end of the block.
///
/// Parameters
/// ----------
/// host : str, default "127.0.0.1"
///     Name or IP address to listen on.
/// port : int, default 0
///     Port to listen on; 0 takes a free one, which `port` tells once the server runs.
/// token : str, optional
///     Secret that clients have to know. Without one that of the environment variable
///     ``BGPY_TOKEN`` is taken, else one is made up, which clients of the same user on this machine
///     find by themselves.
/// log_level : str, default "INFO"
///     DEBUG, INFO, WARNING, ERROR or CRITICAL.
/// log_file : path, optional
///     File to append the log to. A background server without one logs in the user's runtime
///     directory, one in the foreground to standard error.
/// init_file : path, optional
///     Python file with ``init_task``, ``exec_task`` and ``exit_task``, which the server takes its
///     tasks from before it is ready.
/// name : str, optional
///     Name by which users of this account find the server on this machine: a letter, and up to 63
///     more letters, digits, ``.``, ``_`` or ``-``. Only one server that runs can have it.
/// init_module : str, optional
///     Module with the three tasks, which the server imports instead of running a file.
/// idle_timeout : float, optional
///     Seconds without a call after which the server ends by itself, through ``exit_task``.
/// restart : str, default "never"
///     "on-failure" starts a background server again that crashes, with longer and longer pauses, until
///     it has failed more than 5 times ("on-failure:N": N times) and for five minutes without taking
///     calls for one. It has the same address and name, and its tasks from its file or module or
///     those that the first client gave it. Clients that call meanwhile wait.
/// auth : bool, default True
///     Whether clients have to know the token. Without, only loopback addresses are allowed, and clients
///     that do not find the server in their registry have to say ``auth=False`` as well.
/// allow_weak_token : bool, default False
///     Whether a token that can be guessed is allowed on an address that other machines reach.
/// allow_pickle : bool, default True
///     Whether pickles from clients are opened. Without, only plain data is taken (see `Client`),
///     clients refuse to send more, and the tasks must come from `init_file`.
/// max_message_bytes : int, optional
///     Longest message that is taken from a client, in bytes; clients refuse to send more. Without,
///     1 TiB.
///
/// Raises
/// ------
/// ConfigError
///     If an argument is invalid.
#[pyclass(module = "bgpy", frozen, weakref)]
pub struct Server {
    /// As it was asked for.
    pub(crate) config: Config,
    pub(crate) started: Mutex<Option<Started>>,
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (host="127.0.0.1", port=0, token=None, log_level="INFO", log_file=None, init_file=None, *, name=None, init_module=None, idle_timeout=None, restart="never", auth=true, allow_weak_token=false, allow_pickle=true, max_message_bytes=None))]
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
        #[pyo3(from_py_with = idle_timeout)] idle_timeout: Option<f64>,
        #[pyo3(from_py_with = restart)] restart: &str,
        #[pyo3(from_py_with = auth)] auth: bool,
        #[pyo3(from_py_with = allow_weak_token)] allow_weak_token: bool,
        #[pyo3(from_py_with = allow_pickle)] allow_pickle: bool,
        #[pyo3(from_py_with = max_message_bytes)] max_message_bytes: Option<u64>,
    ) -> PyResult<Self> {
        let place = address(py, host, port, true)?;
        level(py, log_level)?;
        if token.as_deref() == Some("") {
            return Err(config_error(py, "the token is empty: take one from token_create()"));
        }
        if init_file.is_some() && init_module.is_some() {
            let text = "the tasks come from init_file or from init_module, not from both";
            return Err(config_error(py, text));
        }
        if let Some(path) = init_file.as_ref().filter(|path| !path.is_file()) {
            return Err(config_error(
                py,
                format!("no such file: '{}' (init_file)", path.display()),
            ));
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
            restart: restart_policy(py, restart)?,
            idle_timeout_s: unused(py, idle_timeout)?,
            auth,
            allow_weak_token,
            allow_pickle,
            message_bytes_max: max_message_bytes.unwrap_or(limits::MESSAGE_BYTES_MAX),
            ..Config::default()
        };
        Ok(Self { config, started: Mutex::new(None) })
    }

    /// Start the server in the background and return when it is ready.
    ///
    /// It lives on when this process ends, with this process's working directory and environment
    /// unless told otherwise.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Seconds to wait at most; a server that is not ready then is ended.
    /// exist_ok : bool, default False
    ///     Whether a server that has the name already will do, for a server with a name. Of many that start one at the same
    ///     moment, exactly one does, and the others get that.
    /// env : dict of str to str, optional
    ///     Environment variables to set for the server, beside those of this process.
    /// cwd : path, optional
    ///     The server's working directory.
    /// python : path, optional
    ///     Interpreter to run the server with. It has to have bgpy.
    ///
    /// Raises
    /// ------
    /// AddressInUse
    ///     If another program listens there.
    /// StartError
    ///     If it does not start for another reason, told in the server's own words.
    /// NameTaken
    ///     If a server with the name runs already. It is a `StartError`.
    /// ConfigError
    ///     If `cwd` is no directory, the log file cannot be written, or the token is too weak for the
    ///     address.
    /// CallTimeout
    ///     If the time was over.
    #[pyo3(signature = (timeout=None, *, exist_ok=false, env=None, cwd=None, python=None))]
    fn run_background(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
        #[pyo3(from_py_with = exist_ok)] exist_ok: bool,
        #[pyo3(from_py_with = env)] env: Option<HashMap<OsString, OsString>>,
        #[pyo3(from_py_with = cwd)] cwd: Option<PathBuf>,
        #[pyo3(from_py_with = python)] python: Option<PathBuf>,
    ) -> PyResult<()> {
        if let Some(pid) = self.pid() {
            return Err(error(py, "StartError", format!("{self} was started already (pid {pid})")));
        }
        if exist_ok && self.config.name.is_none() {
            let text =
                "exist_ok=True finds a server by its name, and this one has none: pass name=...";
            return Err(config_error(py, text));
        }
        if let Some(path) = cwd.as_deref().filter(|path| !path.is_dir()) {
            let text = format!("no such directory: '{}' (cwd)", path.display());
            return Err(error(py, "ConfigError", text));
        }
        let sys = py.import("sys")?;
        let interpreter = match python {
            Some(python) => python,
            None => this_interpreter(&sys)?,
        };
        let mut config = self.config.clone();
        config.search_path = search_path(&sys)?;
        // The server looks for files from where it is.
        for path in [&mut config.log_file, &mut config.init_file].into_iter().flatten() {
            *path = std::path::absolute(&*path)?;
        }
        if let Some(text) = recursion(py, &config)? {
            return Err(error(py, "StartError", text));
        }
        let environment = env.into_iter().flatten().collect();
        config.launch = Some(bgpy_cli::launch(interpreter, &config, cwd, environment));
        let limit = limit(py, timeout)?;
        let start = |wait: &Wait<'_>| match &self.config.name {
            Some(name) if exist_ok => start_or_attach(name, &config, wait),
            _ => start::start(config.clone(), wait).map(Started::Here),
        };
        let started = preparing(py, &config, || waiting(py, limit, start))?;
        let started = started.map_err(|error| start_error(py, &error))?;
        *lock(&self.started) = Some(started);
        Ok(())
    }

    /// Run the server in the foreground, until a client terminates it or a signal ends it.
    ///
    /// The server has ended when this returns, whatever the script does afterwards.
    ///
    /// Called on the main thread it handles SIGTERM and SIGINT (Ctrl-C): the running call ends,
    /// those that wait are answered with an error, and `exit_task` runs. A second signal interrupts
    /// the running task.
    ///
    /// Raises
    /// ------
    /// AddressInUse, StartError, ConfigError
    ///     As for `run_background`.
    /// RemoteError
    ///     If `exit_task` raised.
    /// BgpyError
    ///     If the server could not go on, because a task has closed its sockets for example.
    fn run(&self, py: Python<'_>) -> PyResult<()> {
        if self.config.restart != Restart::Never {
            let text = "a server that runs in this process cannot be started again: take \
                        run_background, or the command bgpy run";
            return Err(config_error(py, text));
        }
        let level = level(py, &self.config.log_level)?;
        let journal = match &self.config.log_file {
            None => Journal::stderr(level),
            path => crate::arguments::journal(py, level, path.as_ref())?,
        };
        match serve(py, &self.config, journal, None, Supervised::default(), false)?
            .map_err(|error| serve_error(py, &error))?
        {
            Ended::Orderly => Ok(()),
            Ended::Start(failure) => Err(error(py, "StartError", told(&failure))),
            Ended::ExitTask(failure) => Err(error(py, "RemoteError", told(&failure))),
            Ended::Failed(reason) => Err(error(py, "BgpyError", reason)),
        }
    }

    /// Whether a server answers at this address.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, default 5.0
    ///     Seconds to wait for its answer at most.
    #[pyo3(signature = (timeout=5.0))]
    fn is_alive(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let link = self.client(py)?;
        let limit = limit(py, Some(timeout))?;
        let answer = waiting(py, limit, |wait| link.ping(wait))?;
        // One that has too many clients has said so.
        Ok(matches!(answer, Ok(()) | Err(CallError::Failed { .. })))
    }

    /// Wait for the end of the server.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Seconds to wait at most.
    ///
    /// Returns
    /// -------
    /// int or None
    ///     The exit code, negative for a signal; None when this process did not start the server, or
    ///     nobody saw how its process ended.
    ///
    /// Raises
    /// ------
    /// CallTimeout
    ///     If the time was over; it says what the process waits for, if the server has ended.
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
        Ok(status.and_then(exit_code))
    }

    /// End the server through its `exit_task`, and wait until it has ended, and its process with it.
    /// One that does not run is no error.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Seconds to wait at most.
    ///
    /// Raises
    /// ------
    /// CallTimeout
    ///     If the time was over; it says what the server, or its process after that, waits for.
    #[pyo3(signature = (timeout=None))]
    fn stop(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<()> {
        self.see_to_end(py, timeout, |client, wait| client.end(wait))
    }

    /// Host to listen on.
    #[getter]
    pub fn host(&self) -> &str {
        &self.config.host
    }

    /// Port to listen on; once the server was started in the background, the one that it has.
    #[getter]
    pub fn port(&self) -> u16 {
        self.known(|background| background.address.port(), |entry| entry.address.port())
            .unwrap_or(self.config.port)
    }

    /// Name as it was given.
    #[getter]
    fn name(&self) -> Option<&str> {
        self.config.name.as_ref().map(Name::as_str)
    }

    /// What a client takes to find the server on this machine: its name, else its address.
    #[getter]
    #[pyo3(name = "target")]
    fn target_text(&self) -> String {
        self.target().to_string()
    }

    /// Token as it was given.
    #[getter]
    fn token(&self) -> Option<&str> {
        self.config.token.as_deref()
    }

    /// Log level as it was given.
    #[getter]
    fn log_level(&self) -> &str {
        &self.config.log_level
    }

    /// Log file as it was given; once the server was started in the background, the one that it has.
    #[getter]
    fn log_file(&self) -> Option<PathBuf> {
        let log_file = |background: &Background| background.log_file.clone();
        self.known(log_file, |entry| entry.log_file.clone()).unwrap_or(self.config.log_file.clone())
    }

    /// File with the tasks, as it was given.
    #[getter]
    fn init_file(&self) -> Option<&PathBuf> {
        self.config.init_file.as_ref()
    }

    /// Module with the tasks, as it was given.
    #[getter]
    fn init_module(&self) -> Option<&str> {
        self.config.init_module.as_deref()
    }

    /// Process id, once the server was started in the background.
    #[getter]
    fn pid(&self) -> Option<u32> {
        self.known(Background::pid, |entry| entry.process.pid)
    }

    /// Whether this process has started the server.
    #[getter]
    fn is_started_here(&self) -> bool {
        self.child().is_some()
    }

    fn __enter__<'py>(slf: Bound<'py, Self>, py: Python<'py>) -> PyResult<Bound<'py, Self>> {
        if slf.get().pid().is_none() {
            slf.get().run_background(py, None, false, None, None, None)?;
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
}

/// Why a start from within an import would start one server after the other, if it would.
fn recursion(py: Python<'_>, config: &Config) -> PyResult<Option<String>> {
    const ADVICE: &str = "put the start under if __name__ == '__main__':";
    if tasks::are_being_imported(config) {
        return Ok(Some(format!("the tasks start a server of their own when imported: {ADVICE}")));
    }
    let importer: Option<String> =
        py.import("bgpy._code.local")?.call_method0("importer")?.extract()?;
    Ok(importer.map(|it| format!("{it}, starts a server: {ADVICE}")))
}

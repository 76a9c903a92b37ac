//! The server, in the foreground and in the background.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use bgpy::spawn::{self, Background, Config};
use bgpy::{CallError, CallKind, ConnectError, Ended, Journal, Token, Value};
use pyo3::prelude::*;

use crate::arguments::{address, level, limit, message_bytes_max, waiting};
use crate::background::search_path;
use crate::client::python_version;
use crate::decode::Policy;
use crate::errors::{config_error, error, serve_error, start_error};
use crate::serve::serve;

/// A server: where it listens and how it behaves. It starts with `run_background` or `run`.
///
/// As a context manager it starts in the background, and stops at the end of the block.
///
/// Parameters
/// ----------
/// host : str
///     Name or IP address to listen on.
/// port : int
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
/// auth : bool, default True
///     Whether clients have to know a token at all. Without, only loopback addresses are allowed.
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
///     If an argument cannot be.
#[pyclass(module = "bgpy", frozen, weakref)]
pub struct Server {
    host: String,
    port: i64,
    token: Option<String>,
    log_level: String,
    log_file: Option<PathBuf>,
    init_file: Option<PathBuf>,
    auth: bool,
    allow_weak_token: bool,
    allow_pickle: bool,
    message_bytes_max: u64,
    background: Mutex<Option<Background>>,
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (host, port, token=None, log_level="INFO", log_file=None, init_file=None, *, auth=true, allow_weak_token=false, allow_pickle=true, max_message_bytes=None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the keywords of the Python constructor"
    )]
    fn new(
        py: Python<'_>,
        host: String,
        port: i64,
        token: Option<String>,
        log_level: &str,
        log_file: Option<PathBuf>,
        init_file: Option<PathBuf>,
        auth: bool,
        allow_weak_token: bool,
        allow_pickle: bool,
        max_message_bytes: Option<u64>,
    ) -> PyResult<Self> {
        address(py, &host, port, true)?;
        level(py, log_level)?;
        if token.as_deref() == Some("") {
            return Err(config_error(py, "the token is empty: take one from token_create()"));
        }
        if let Some(path) = init_file.as_ref().filter(|path| !path.is_file()) {
            return Err(config_error(py, format!("the init file '{}' is no file", path.display())));
        }
        Ok(Self {
            host,
            port,
            token,
            log_level: log_level.to_owned(),
            log_file,
            init_file,
            auth,
            allow_weak_token,
            allow_pickle,
            message_bytes_max: message_bytes_max(py, max_message_bytes)?,
            background: Mutex::new(None),
        })
    }

    /// Start the server in the background and return when it is ready.
    ///
    /// It lives on when this process ends, with this process's working directory and environment.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Seconds to wait at most; a server that is not ready then is ended.
    ///
    /// Raises
    /// ------
    /// AddressInUse
    ///     If another program listens there.
    /// StartError
    ///     If it does not start for another reason, told in the server's own words.
    /// ConfigError
    ///     If the log file cannot be written, or the token is too weak for the address.
    /// CallTimeout
    ///     If the time was over.
    #[pyo3(signature = (timeout=None))]
    fn run_background(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        if let Some(background) = self.started() {
            let pid = background.pid;
            return Err(error(py, "StartError", format!("{self} was started already (pid {pid})")));
        }
        let sys = py.import("sys")?;
        let interpreter: Option<PathBuf> = sys.getattr("executable")?.extract()?;
        let interpreter =
            interpreter.filter(|path| !path.as_os_str().is_empty()).ok_or_else(|| {
                error(
                    py,
                    "StartError",
                    "sys.executable names no interpreter to run the server with",
                )
            })?;
        let mut command = Command::new(interpreter);
        // -P keeps files of the working directory from passing for modules of Python.
        let place = address(py, &self.host, self.port, true)?.to_string();
        command.args(["-P", "-m", "bgpy._background", &place]);
        let mut config = self.config();
        config.search_path = search_path(&sys)?;
        let started = waiting(py, limit(py, timeout)?, |wait| spawn::start(command, config, wait))?;
        let background = started.map_err(|error| start_error(py, &error))?;
        *lock(&self.background) = Some(background);
        Ok(())
    }

    /// Run the server in the foreground, until a client terminates it or a signal ends it.
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
    fn run(&self, py: Python<'_>) -> PyResult<()> {
        let level = level(py, &self.log_level)?;
        let journal = match &self.log_file {
            None => Journal::stderr(level),
            Some(_) => crate::arguments::journal(py, level, self.log_file.as_ref())?,
        };
        match serve(py, &self.config(), journal, None)?.map_err(|error| serve_error(py, &error))? {
            Ended::Orderly => Ok(()),
            Ended::Start(failure) => Err(error(py, "StartError", told(&failure))),
            Ended::ExitTask(failure) => Err(error(py, "RemoteError", told(&failure))),
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
        Ok(waiting(py, limit, |wait| link.ping(wait))?.is_ok())
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
    ///     The exit code, negative for a signal; None when this process did not start the server.
    ///
    /// Raises
    /// ------
    /// CallTimeout
    ///     If the time was over.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<i32>> {
        let limit = limit(py, timeout)?;
        let late = || {
            let text = format!("{self} has not ended within {} s", timeout.unwrap_or_default());
            error(py, "CallTimeout", text)
        };
        if let Some(background) = self.started() {
            let status = waiting(py, limit, |wait| background.wait(wait))?.ok_or_else(late)?;
            return Ok(exit_code(status));
        }
        let client = self.client(py)?;
        let waited = waiting(py, limit, |wait| client.link(wait)?.wait_closed(wait))?;
        match waited {
            Ok(()) | Err(CallError::Connect(ConnectError::NotRunning { .. })) => Ok(None),
            Err(CallError::Timeout { .. }) => Err(late()),
            Err(error) => Err(crate::errors::call_error(py, error, self.policy())),
        }
    }

    /// End the server through its `exit_task`, and wait until it has ended. One that does not run is
    /// no error.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Seconds to wait at most.
    ///
    /// Raises
    /// ------
    /// CallTimeout
    ///     If the time was over; the server ends as soon as its running task does.
    #[pyo3(signature = (timeout=None))]
    fn stop(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        let client = self.client(py)?;
        let limit = limit(py, timeout)?;
        let stopped = waiting(py, limit, |wait| {
            let link = match client.link(wait) {
                Err(ConnectError::NotRunning { .. }) => return Ok(()),
                link => link?,
            };
            let nothing = Value::Map(Vec::new()).encode().expect("an empty map is short").into();
            match link.accepted(CallKind::Exit, nothing, wait) {
                // It is about to end already.
                Ok(()) | Err(CallError::Failed { .. } | CallError::Lost { .. }) => {}
                Err(error) => return Err(error),
            }
            link.wait_closed(wait)
        })?;
        stopped.map_err(|error| crate::errors::call_error(py, error, self.policy()))?;
        // A child has closed its connections a moment before it is gone.
        match self.started() {
            Some(_) => self.wait(py, timeout).map(drop),
            None => Ok(()),
        }
    }

    /// Host to listen on.
    #[getter]
    fn host(&self) -> &str {
        &self.host
    }

    /// Port to listen on; once the server was started in the background, the one that it has.
    #[getter]
    fn port(&self) -> i64 {
        self.started().map_or(self.port, |background| i64::from(background.address.port()))
    }

    /// Token as it was given.
    #[getter]
    fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Log level as it was given.
    #[getter]
    fn log_level(&self) -> &str {
        &self.log_level
    }

    /// Log file as it was given; once the server was started in the background, the one that it has.
    #[getter]
    fn log_file(&self) -> Option<PathBuf> {
        self.started().map_or_else(|| self.log_file.clone(), |background| background.log_file)
    }

    /// File with the tasks, as it was given.
    #[getter]
    fn init_file(&self) -> Option<&PathBuf> {
        self.init_file.as_ref()
    }

    /// Process id, once the server was started in the background.
    #[getter]
    fn pid(&self) -> Option<u32> {
        self.started().map(|background| background.pid)
    }

    fn __enter__<'py>(slf: Bound<'py, Self>, py: Python<'py>) -> PyResult<Bound<'py, Self>> {
        slf.get().run_background(py, None)?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) -> PyResult<()> {
        self.stop(py, None)
    }

    fn __repr__(&self) -> String {
        format!("Server({:?}, {})", self.host, self.port())
    }
}

impl Server {
    fn started(&self) -> Option<Background> {
        lock(&self.background).clone()
    }

    fn policy(&self) -> Policy {
        Policy { allow_pickle: self.allow_pickle }
    }

    fn config(&self) -> Config {
        Config {
            host: self.host.clone(),
            port: self.port as u16,
            token: self.token.clone(),
            auth: self.auth,
            allow_weak_token: self.allow_weak_token,
            allow_pickle: self.allow_pickle,
            message_bytes_max: self.message_bytes_max,
            log_level: self.log_level.clone(),
            log_file: self.log_file.clone(),
            init_file: self.init_file.clone(),
            search_path: Vec::new(),
            instance: String::new(),
        }
    }

    /// A client of this server.
    fn client(&self, py: Python<'_>) -> PyResult<bgpy::Client> {
        let options = bgpy::ClientOptions {
            token: self.token.as_deref().map(Token::new),
            python: Some(python_version(py)),
            ..bgpy::ClientOptions::default()
        };
        Ok(bgpy::Client::new(address(py, &self.host, self.port(), true)?, options))
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the server at {}:{}", self.host, self.port())
    }
}

fn told(failure: &bgpy::Failure) -> String {
    match &failure.traceback {
        Some(traceback) => format!("{failure}\n\n{traceback}"),
        None => failure.to_string(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Python's form of an exit status: the code, or the negative number of the signal.
fn exit_code(status: std::process::ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Some(-signal);
    }
    status.code()
}

//! The blocking client.

use std::path::PathBuf;
use std::sync::Arc;

use bgpy::client::ClientOptions;
use bgpy::{CallKind, Link, Payload, Response, Token, Wait, limits};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::arguments::{
    address, allow_pickle, auth, host, journal, level, limit, log_file, log_level,
    max_message_bytes, port, target, timeout, token,
};
use crate::decode::{Policy, decode};
use crate::encode::{Receiver, encode, encode_tasks};
use crate::errors::{config_error, error_response};
use crate::status::status_dict;
use crate::tasks::{self, NAMES};

/// A client of one server.
///
/// It connects at its first call and keeps the connection; a lost one is opened anew at the next
/// call. It may be shared between threads and used after ``os.fork()``. On the server's own machine
/// it takes the server's Unix socket, whatever host it was given.
///
/// Parameters
/// ----------
/// host : str
///     Name or IP address of the server's machine. Without a port, any target: the name of a server,
///     ``host:port``, ``[address]:port`` for IPv6, or the path of a server's socket.
/// port : int, optional
///     Port that the server listens on.
/// token : str, optional
///     The server's token. Without one it is found in the registry (same machine, same user), else
///     in the environment variable ``BGPY_TOKEN``.
/// log_level : str, default "INFO"
///     DEBUG, INFO, WARNING, ERROR or CRITICAL.
/// log_file : path, optional
///     File that the client appends its log to.
/// auth : bool, default True
///     Whether the server has to prove that it knows the token. ``auth=False`` talks to a server on
///     this machine that was started so, whoever runs it; a server in the registry proves its token all
///     the same, and so does each after one that did.
/// allow_pickle : bool, default True
///     Whether pickles from the server are opened. Without, only plain data is taken: None, numbers,
///     texts, bytes, lists, tuples, dicts and sets of those, dates and times, decimals, UUIDs, paths,
///     and members of enumerations whose module is imported here. A task that responds with more
///     fails.
/// max_message_bytes : int, optional
///     Longest answer that is taken, in bytes; a task that responds with more fails. Without, 1 TiB.
///
/// Raises
/// ------
/// ConfigError
///     If an argument is invalid.
#[pyclass(module = "bgpy", frozen, weakref)]
pub struct Client {
    pub(crate) client: bgpy::Client,
    host: String,
    port: Option<i64>,
    token: Option<String>,
    log_level: String,
    log_file: Option<PathBuf>,
    pub(crate) policy: Policy,
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (host, port=None, token=None, log_level="INFO", log_file=None, *, auth=true, allow_pickle=true, max_message_bytes=None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the keywords of the Python constructor"
    )]
    pub fn new(
        py: Python<'_>,
        #[pyo3(from_py_with = host)] host: &str,
        #[pyo3(from_py_with = port)] port: Option<i64>,
        #[pyo3(from_py_with = token)] token: Option<String>,
        #[pyo3(from_py_with = log_level)] log_level: &str,
        #[pyo3(from_py_with = log_file)] log_file: Option<PathBuf>,
        #[pyo3(from_py_with = auth)] auth: bool,
        #[pyo3(from_py_with = allow_pickle)] allow_pickle: bool,
        #[pyo3(from_py_with = max_message_bytes)] max_message_bytes: Option<u64>,
    ) -> PyResult<Self> {
        if token.is_some() && !auth {
            let text = "auth=False asks for no proof of the token: pass one of the two";
            return Err(config_error(py, text));
        }
        let options = ClientOptions {
            token: token.as_deref().map(Token::new),
            auth,
            python: Some(python_version(py)),
            message_bytes_max: max_message_bytes.unwrap_or(limits::MESSAGE_BYTES_MAX),
            allow_pickle,
            journal: journal(py, level(py, log_level)?, log_file.as_ref())?,
            ..ClientOptions::default()
        };
        let target = match port {
            Some(port) => address(py, host, port, false)?.into(),
            None => target(py, host)?,
        };
        let client = bgpy::Client::new(target, options);
        let policy = Policy::new(allow_pickle);
        let (host, log_level) = (host.to_owned(), log_level.to_owned());
        Ok(Self { client, host, port, token, log_level, log_file, policy })
    }

    /// Send the tasks to the server and wait until ``init_task`` has run.
    ///
    /// Parameters
    /// ----------
    /// init_task : callable
    ///     ``init_task()`` or ``init_task(client_socket)``; returns the state, a dict.
    /// exec_task : callable
    ///     ``exec_task(client_socket, state, args)``; returns the next state, or None to keep it.
    /// exit_task : callable
    ///     ``exit_task(client_socket, state, args)``; runs once, at the end.
    /// timeout : float, optional
    ///     Seconds to wait at most.
    ///
    /// Returns
    /// -------
    /// dict
    ///     ``{"message": "Initialization successful."}``, or ``{"message": "Already initialized."}``
    ///     from a server that has tasks already and keeps those.
    ///
    /// Raises
    /// ------
    /// RemoteError
    ///     If ``init_task`` raised; the server stays without tasks.
    /// SerializationError
    ///     If a task cannot be pickled, or not be unpickled there.
    /// BgpyError
    ///     As for `call`.
    #[pyo3(signature = (init_task, exec_task, exit_task, timeout=None))]
    fn initialize<'py>(
        &self,
        py: Python<'py>,
        init_task: &Bound<'py, PyAny>,
        exec_task: &Bound<'py, PyAny>,
        exit_task: &Bound<'py, PyAny>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let tasks = [init_task, exec_task, exit_task];
        for (name, task) in NAMES.into_iter().zip(tasks) {
            tasks::check(name, task)?.map_err(|text| config_error(py, text))?;
        }
        // A server that takes no pickles may have its tasks already, and needs none of these.
        let payload = encode_tasks(py, PyTuple::new(py, tasks)?.as_any())?;
        let first = self.on_started(py, timeout, |link, wait| link.initialize(payload, wait))?;
        confirmation(py, if first { "Initialization successful." } else { "Already initialized." })
    }

    /// Send `exec_task` its arguments.
    ///
    /// Parameters
    /// ----------
    /// exec_args : object
    ///     Any picklable object, usually a dict.
    /// await_response : bool, default False
    ///     Whether to wait for the first response of the task, or only until the server has
    ///     accepted the call.
    /// timeout : float, optional
    ///     Seconds to wait at most.
    ///
    /// Returns
    /// -------
    /// object
    ///     The response, also when it was sent with ``error=True``; without `await_response`
    ///     ``{"message": "Received 'EXEC'"}``.
    ///
    /// Raises
    /// ------
    /// BgpyError
    ///     As for `call`.
    #[pyo3(signature = (exec_args, await_response=false, timeout=None))]
    fn execute<'py>(
        &self,
        py: Python<'py>,
        exec_args: &Bound<'py, PyAny>,
        await_response: bool,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let payload = self.encode(py, "args", exec_args, timeout)?;
        self.send(py, CallKind::Exec, payload, await_response, timeout)
    }

    /// Send `exec_task` its arguments, wait for its first response and return that.
    ///
    /// Parameters
    /// ----------
    /// args : object
    ///     Any picklable object, usually a dict.
    /// timeout : float, optional
    ///     Seconds to wait at most. Without, the wait ends when the server does: its death and a
    ///     dead network are noticed also while a task runs.
    ///
    /// Returns
    /// -------
    /// object
    ///     The response.
    ///
    /// Raises
    /// ------
    /// RemoteError
    ///     If the task raised, or responded with ``error=True``.
    /// NoResponse
    ///     If the task ended without a response.
    /// NotInitialized
    ///     If the server has no tasks yet.
    /// NotRunning, ConnectError, AuthError, ProtocolMismatch
    ///     If the connection cannot be established.
    /// ConnectionLost
    ///     If the server died meanwhile; the call may or may not have run.
    /// CallTimeout
    ///     If the time was over.
    /// ServerStopping, Overloaded
    ///     If the server takes no (more) calls.
    /// SerializationError
    ///     If the arguments or the response cannot be pickled or unpickled.
    #[pyo3(signature = (args, timeout=None))]
    fn call<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyAny>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let payload = self.encode(py, "args", args, timeout)?;
        let Response { message, error } =
            self.on_started(py, timeout, |link, wait| link.first(CallKind::Exec, payload, wait))?;
        let response = decode(py, "response", message, self.policy)?;
        if error {
            let server = self.client.target().to_string();
            return Err(error_response(py, &server, &response));
        }
        Ok(response)
    }

    /// Run `exit_task` and end the server, after the calls that it has accepted before.
    ///
    /// When it returns, the server has given up its address, so that another can be started there.
    ///
    /// Parameters
    /// ----------
    /// exit_args : object, optional
    ///     Argument of `exit_task`, usually a dict.
    /// await_response : bool, default False
    ///     Whether to wait for the first response of `exit_task`, or only until the server has
    ///     accepted the call.
    /// timeout : float, optional
    ///     Seconds to wait at most.
    ///
    /// Returns
    /// -------
    /// object
    ///     The response; without `await_response` ``{"message": "Received 'EXIT'"}``.
    ///
    /// Raises
    /// ------
    /// BgpyError
    ///     As for `call`.
    #[pyo3(signature = (exit_args=None, await_response=false, timeout=None))]
    fn terminate<'py>(
        &self,
        py: Python<'py>,
        exit_args: Option<&Bound<'py, PyAny>>,
        await_response: bool,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let nothing = PyDict::new(py).into_any();
        let payload = self.encode(py, "exit_args", exit_args.unwrap_or(&nothing), timeout)?;
        self.send(py, CallKind::Exit, payload, await_response, timeout)
    }

    /// Ask the server what it is doing, which it tells also while a task runs.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Seconds to wait at most.
    ///
    /// Returns
    /// -------
    /// dict
    ///     ``state`` (STARTING, UNINITIALIZED, READY, BUSY or STOPPING), ``task`` (the name of the one
    ///     that runs, or None), ``busy_s`` (seconds that it has taken so far, or None), ``queue``
    ///     (calls that wait), ``calls`` (calls that have run), ``clients``, ``uptime_s``, ``pid``,
    ///     ``rss_bytes`` (memory that the process has resident, or None) and ``name`` (or None).
    ///
    /// Raises
    /// ------
    /// BgpyError
    ///     As for `call`.
    #[pyo3(signature = (timeout=None))]
    fn status<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let status = self.on_link(py, timeout, |link, wait| link.status(wait))?;
        status_dict(py, &status)
    }

    /// Check that the server responds, also while a task runs.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Seconds to wait at most.
    ///
    /// Raises
    /// ------
    /// BgpyError
    ///     As for `call`.
    #[pyo3(signature = (timeout=None))]
    fn ping(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<()> {
        self.on_link(py, timeout, |link, wait| link.ping(wait))
    }

    /// Close the connection. The server goes on; the next call connects again.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.client.close());
    }

    /// Host as it was given, or any other target.
    #[getter]
    fn host(&self) -> &str {
        &self.host
    }

    /// Port as it was given.
    #[getter]
    fn port(&self) -> Option<i64> {
        self.port
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

    /// Log file as it was given.
    #[getter]
    fn log_file(&self) -> Option<&PathBuf> {
        self.log_file.as_ref()
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        match self.port {
            Some(port) => format!("Client({:?}, {port})", self.host),
            None => format!("Client({:?})", self.host),
        }
    }
}

impl Client {
    /// Encodes what a server is to get, whose hello tells whether it takes pickles.
    fn encode(
        &self,
        py: Python<'_>,
        root: &str,
        object: &Bound<'_, PyAny>,
        timeout: Option<f64>,
    ) -> PyResult<Payload> {
        let takes_pickles = || Ok(self.link(py, limit(py, timeout)?)?.hello().allow_pickle);
        let server = Receiver { name: "the server", takes_pickles: &takes_pickles };
        encode(py, root, object, &server)
    }

    fn send<'py>(
        &self,
        py: Python<'py>,
        kind: CallKind,
        payload: Payload,
        await_response: bool,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let act = |link: &Arc<Link>, wait: &Wait<'_>| match await_response {
            true => link.first(kind, payload, wait).map(Some),
            false => link.accepted(kind, payload, wait).map(|()| None),
        };
        let response = match kind {
            // One that is about to start can be told to end.
            CallKind::Exit => self.on_link(py, timeout, act),
            _ => self.on_started(py, timeout, act),
        }?;
        if let Some(response) = response {
            return decode(py, "response", response.message, self.policy);
        }
        let name = if kind == CallKind::Exit { "EXIT" } else { "EXEC" };
        Ok(confirmation(py, &format!("Received '{name}'"))?.into_any())
    }
}

/// The version of the running interpreter, as `3.11.7`.
pub fn python_version(py: Python<'_>) -> String {
    let version = py.version_info();
    format!("{}.{}.{}", version.major, version.minor, version.patch)
}

fn confirmation<'py>(py: Python<'py>, message: &str) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("message", message)?;
    Ok(dict)
}

//! The blocking client.

use std::path::PathBuf;
use std::sync::Mutex;

use bgpy::client::ClientOptions;
use bgpy::{CallKind, Id, Link, Log, Token, limits};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::arguments::{
    allow_pickle, auth, echo, follow, host, lines, log_file, log_level, max_message_bytes, port,
    target, timeout, token,
};
use super::client_calls::{CallOptions, Called, first};
use super::connection::send;
use super::log_reader::{self, LogReader};
use super::messages::confirmation;
use super::notebook::renewed;
use super::status::status_dict;
use crate::codec::decode::Policy;
use crate::codec::encode::encode_tasks;
use crate::codec::path::TASK_NAMES;
use crate::exceptions::config_error;
use crate::serve::config::{address, log};
use crate::serve::interpreter::python_version;
use crate::serve::tasks;

/// A client of one server.
///
/// It connects on its first call and keeps the connection. If the connection is lost, the next call
/// connects again. A client may be shared between threads and used after ``os.fork()``. On the server's
/// own machine it uses the server's Unix socket, whatever host was passed.
///
/// Parameters
/// ----------
/// host : str
///     Host name or IP address of the server. If `port` is omitted, any target: the name of a server,
///     ``host:port``, ``[address]:port`` for IPv6, or the path of a server's socket.
/// port : int, optional
///     Port that the server listens on.
/// token : str, optional
///     The server's token. By default it comes from the registry (same machine, same user), or else
///     from the environment variable ``BGPY_TOKEN``.
/// log_level : str, default "INFO"
///     DEBUG, INFO, WARNING, ERROR or CRITICAL.
/// log_file : path, optional
///     File that the client appends its log to. By default, it does not log.
/// auth : bool, default True
///     Whether the server must prove that it knows the token. With False, the client also talks to a
///     server on this machine that was started with ``auth=False``, whoever runs it; a server in the
///     registry must still prove its token, and once one server has proven it, this client requires the
///     proof from then on.
/// allow_pickle : bool, default True
///     Whether the client unpickles what the server sends. With False, it accepts only plain data: None,
///     bool, numbers, str, bytes, bytearray, lists, tuples, dicts and sets of those, dates and times,
///     decimals, UUIDs, paths, and members of enumerations whose module is imported here. A task that
///     responds with anything else fails.
/// max_message_bytes : int, optional
///     Maximum size of a response, in bytes; a task that responds with more fails. 1 TiB by default.
///
/// Raises
/// ------
/// ConfigError
///     If an argument is invalid.
#[pyclass(module = "bgpy", frozen, weakref)]
pub struct Client {
    pub(super) client: bgpy::Client,
    /// Host or other target as passed.
    #[pyo3(get)]
    host: String,
    /// Port as passed, or None.
    #[pyo3(get)]
    port: Option<i64>,
    /// Token as passed, or None.
    #[pyo3(get)]
    token: Option<String>,
    /// Log level as passed.
    #[pyo3(get)]
    log_level: String,
    /// Log file as passed, or None.
    #[pyo3(get)]
    log_file: Option<PathBuf>,
    pub(super) policy: Policy,
    /// The process of the server that was last asked for its methods.
    pub(super) methods_of: Mutex<Option<(Id, u64)>>,
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
            let text = "token and auth=False cannot be combined: pass one of them";
            return Err(config_error(py, text));
        }
        let options = ClientOptions {
            token: token.as_deref().map(Token::new),
            auth,
            python: Some(python_version(py)),
            message_bytes_max: max_message_bytes.unwrap_or(limits::MESSAGE_BYTES_MAX),
            allow_pickle,
            log: log(py, log_level, log_file.as_ref(), |_| Log::silent())?,
            ..ClientOptions::default()
        };
        let target = match port {
            Some(port) => address(py, host, port, false)?.into(),
            None => target(py, host)?,
        };
        let client = bgpy::Client::new(target, options);
        let policy = Policy::new(allow_pickle);
        let (host, log_level) = (host.to_owned(), log_level.to_owned());
        let methods_of = Mutex::new(None);
        Ok(Self { client, host, port, token, log_level, log_file, policy, methods_of })
    }

    /// Send the tasks to the server and wait until ``init_task`` has run.
    ///
    /// Parameters
    /// ----------
    /// init_task : callable
    ///     ``init_task()`` or ``init_task(client_socket)``; returns the state, a dict.
    /// exec_task : callable
    ///     ``exec_task(client_socket, state, args)``; returns the next state, or None to keep it.
    /// exit_task : callable, optional
    ///     ``exit_task(client_socket, state, args)``; runs once, when the server stops.
    /// timeout : float, optional
    ///     Maximum time to wait, in seconds.
    ///
    /// Returns
    /// -------
    /// dict
    ///     ``{"message": "Initialization successful."}``, or ``{"message": "Already initialized."}``
    ///     if the server already has tasks, which it keeps.
    ///
    /// Raises
    /// ------
    /// ConfigError
    ///     If a task is not callable, takes other parameters, or is an ``async def`` or generator function.
    /// RemoteError
    ///     If ``init_task`` raised; the server still has no tasks.
    /// SerializationError
    ///     If a task cannot be pickled here or unpickled on the server.
    /// BgpyError
    ///     As for `call`.
    #[pyo3(signature = (init_task, exec_task, exit_task=None, timeout=None))]
    fn initialize<'py>(
        &self,
        py: Python<'py>,
        init_task: &Bound<'py, PyAny>,
        exec_task: &Bound<'py, PyAny>,
        exit_task: Option<&Bound<'py, PyAny>>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let exit_task =
            exit_task.map_or_else(|| tasks::no_exit_task(py), |task| Ok(task.clone()))?;
        let tasks = [init_task, exec_task, &exit_task];
        for (name, task) in TASK_NAMES.into_iter().zip(tasks) {
            tasks::check(name, task)?.map_err(|text| config_error(py, text))?;
        }
        // Encoded even for a server that accepts no pickles: it may have its tasks already.
        let tasks = PyTuple::new(py, tasks)?;
        let encoded = || encode_tasks(py, "tasks", tasks.as_any());
        loop {
            let first = self.calling(py, timeout, None, encoded, Link::initialize)?;
            if !renewed(self, &tasks, first)? {
                let text =
                    if first { "Initialization successful." } else { "Already initialized." };
                return confirmation(py, text);
            }
        }
    }

    /// Call `exec_task`, and by default return once the server has accepted the call.
    ///
    /// Parameters
    /// ----------
    /// exec_args : object
    ///     Argument of `exec_task`: any picklable object, usually a dict.
    /// await_response : bool, default False
    ///     Whether to wait for the first response of the task. With False, wait only until the server
    ///     has accepted the call.
    /// timeout : float, optional
    ///     Maximum time to wait, in seconds.
    ///
    /// Returns
    /// -------
    /// object
    ///     The response, even one sent with ``error=True``; ``{"message": "Received 'EXEC'"}`` without
    ///     `await_response`.
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
        let encoded = || self.encode(py, "args", exec_args, timeout);
        let response = self.calling(py, timeout, None, encoded, |link, payload, wait| {
            send(link, CallKind::Exec, payload, await_response, wait)
        })?;
        self.answer(py, response, "EXEC")
    }

    /// Call `exec_task` and return its first response.
    ///
    /// Parameters
    /// ----------
    /// args : object
    ///     Argument of `exec_task`: any picklable object, usually a dict.
    /// timeout : float, optional
    ///     Maximum time to wait, in seconds. By default there is no limit, but the wait ends if the
    ///     server dies or the network fails, even while a task runs.
    /// on_progress : callable, optional
    ///     Called with a `Progress` each time that the task tells how far it has come.
    /// echo : bool, default False
    ///     Whether to print what the server's tasks print during the call, a moment later: this one, but
    ///     also those of other callers that run meanwhile.
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
    ///     If the server died in the meantime; the call may or may not have run.
    /// CallTimeout
    ///     If there is no response within `timeout` seconds; a task that has started keeps running.
    /// ServerStopping
    ///     If the server is stopping and accepts no more calls.
    /// Overloaded
    ///     If too many calls are already waiting.
    /// SerializationError
    ///     If the argument or the response cannot be pickled or unpickled.
    /// WouldDeadlock
    ///     If a task of the same server makes the call, and so would wait for itself.
    /// CallCancelled
    ///     If somebody else has cancelled the call.
    /// BgpyError
    ///     If `echo` is set and the server logs to no file.
    #[pyo3(signature = (args, timeout=None, *, on_progress=None, echo=false))]
    fn call<'py>(
        slf: &Bound<'py, Self>,
        py: Python<'py>,
        args: &Bound<'py, PyAny>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
        on_progress: Option<Bound<'py, PyAny>>,
        #[pyo3(from_py_with = echo)] echo: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        let echo = echo.then(|| LogReader::of_prints(slf, timeout)).transpose()?;
        let echo = echo.map(|reader| log_reader::echo(py, reader)).transpose()?;
        let options = CallOptions { on_progress, timeout, window: None };
        let outcome = first(slf, py, Called::Task, args, options, echo.as_ref());
        let printed = echo.map(|echo| echo.call_method0(py, "finish")).transpose();
        let response = this.response(py, outcome?)?;
        printed.map(|_| response)
    }

    /// Run `exit_task` and stop the server, after the calls that it has already accepted.
    ///
    /// When this method returns, the server no longer listens on its address, so that another one can
    /// start there.
    ///
    /// Parameters
    /// ----------
    /// exit_args : object, optional
    ///     Argument of `exit_task`, an empty dict by default.
    /// await_response : bool, default False
    ///     Whether to wait for the first response of `exit_task`. With False, wait only until the server
    ///     has accepted the call.
    /// timeout : float, optional
    ///     Maximum time to wait, in seconds.
    ///
    /// Returns
    /// -------
    /// object
    ///     The response; ``{"message": "Received 'EXIT'"}`` without `await_response`.
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
        // A server can be stopped before its tasks have started.
        let response = self.on_link(py, timeout, |link, wait| {
            send(link, CallKind::Exit, payload, await_response, wait)
        })?;
        self.answer(py, response, "EXIT")
    }

    /// Return the status of the server, even while a task runs.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Maximum time to wait, in seconds.
    ///
    /// Returns
    /// -------
    /// dict
    ///     ``state`` (STARTING, UNINITIALIZED, READY, BUSY or STOPPING), ``task`` (name of the running
    ///     task, or None), ``busy_s`` (seconds that it has been running, or None), ``queue`` (number of
    ///     waiting calls), ``calls`` (number of calls that have run), ``clients`` (number of connected
    ///     clients, this one included), ``uptime_s`` (seconds since the start), ``cpu_s`` (CPU time that the
    ///     process has used in seconds, or None), ``pid``, ``rss_bytes`` (resident memory of the process, or
    ///     None) and ``name`` (or None).
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

    /// Check that the server responds, even while a task runs.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Maximum time to wait, in seconds.
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

    /// Return the end of the server's log, with everything that its tasks print, even while a task runs.
    ///
    /// Parameters
    /// ----------
    /// lines : int, default 100
    ///     Number of lines.
    /// follow : bool, default False
    ///     Whether to return an iterator, which goes on with new lines until the server ends.
    /// timeout : float, optional
    ///     Maximum time to wait for each answer of the server, in seconds.
    ///
    /// Returns
    /// -------
    /// str or iterator of str
    ///     The text, which a notebook displays as it is; with `follow` the lines.
    ///
    /// Raises
    /// ------
    /// BgpyError
    ///     If the server logs to no file, or as for `call`.
    #[pyo3(signature = (lines=100, follow=false, timeout=None))]
    fn logs<'py>(
        slf: &Bound<'py, Self>,
        py: Python<'py>,
        #[pyo3(from_py_with = lines)] lines: u64,
        #[pyo3(from_py_with = follow)] follow: bool,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        log_reader::logs(py, LogReader::of_client(slf, lines, follow, timeout)?)
    }

    /// Close the connection. The server keeps running; the next call connects again.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.client.close());
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

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        self.properties(py).map(|shown| shown.html())
    }
}

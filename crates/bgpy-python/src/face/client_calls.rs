//! Calls of a client that are under way while the caller does something else.

use std::cell::Cell;

use bgpy::{CallHead, CallKind, Response, Want};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::arguments::{keep, key, limit, timeout};
use super::call::Call;
use super::callback::Callbacks;
use super::client::Client;
use super::pending::Pending;
use super::stream::Stream;
use crate::lazy::Lazy;

#[pymethods]
impl Client {
    /// Call `exec_task` and return at once, with the call under way.
    ///
    /// Thousands of calls may be under way on one connection. They run one after the other, in the order in which
    /// they were begun.
    ///
    /// Parameters
    /// ----------
    /// args : object
    ///     Argument of `exec_task`: any picklable object, usually a dict.
    /// on_progress : callable, optional
    ///     Called with a `Progress` while somebody waits for the call, on that thread.
    ///
    /// Returns
    /// -------
    /// Call
    ///     The call.
    ///
    /// Raises
    /// ------
    /// BgpyError
    ///     If the call cannot be sent; see `call`.
    ///
    /// Examples
    /// --------
    /// >>> calls = [client.begin({"page": page}) for page in range(100)]
    /// >>> pages = [call.result() for call in calls]
    #[pyo3(signature = (args, *, on_progress=None))]
    fn begin(
        slf: &Bound<'_, Self>,
        py: Python<'_>,
        args: &Bound<'_, PyAny>,
        on_progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Call> {
        let options = CallOptions { on_progress, ..CallOptions::default() };
        begin(slf, py, Called::Task, args, options).map(Call::new)
    }

    /// Submit a job: a call of `exec_task` that lives on without its caller.
    ///
    /// The server runs it in its turn, like any call, and keeps the first response, so that whoever knows the name of
    /// the job can wait for it, from any process and as often as needed.
    ///
    /// Parameters
    /// ----------
    /// args : object
    ///     Argument of `exec_task`: any picklable object, usually a dict.
    /// key : str, optional
    ///     The name of the job. Submitted again with the same argument, it is the same job, which runs once.
    /// keep : float, optional
    ///     How long the server keeps the result, in seconds; a day by default.
    /// timeout : float, optional
    ///     Maximum time to wait for the server to accept the job, in seconds.
    ///
    /// Returns
    /// -------
    /// Job
    ///     The job.
    ///
    /// Raises
    /// ------
    /// JobTaken
    ///     If a job of the same key has another argument.
    /// BgpyError
    ///     If the job cannot be submitted; see `call`.
    #[pyo3(signature = (args, *, key=None, keep=None, timeout=None))]
    fn submit<'py>(
        slf: &Bound<'py, Self>,
        py: Python<'py>,
        args: &Bound<'py, PyAny>,
        #[pyo3(from_py_with = key)] key: Option<String>,
        #[pyo3(from_py_with = keep)] keep: Option<f64>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static JOB: Lazy = Lazy::new("bgpy._jobs", "Job");
        let job = slf.get()._submit(py, None, args, key.as_deref(), keep, timeout)?;
        JOB.get(py)?.call1((slf, job, "exec_task"))
    }

    /// Call `exec_task` and return an iterator over all of its responses.
    ///
    /// Parameters
    /// ----------
    /// args : object
    ///     Argument of `exec_task`: any picklable object, usually a dict.
    /// timeout : float, optional
    ///     Maximum time to wait for each response, in seconds.
    /// on_progress : callable, optional
    ///     Called with a `Progress` while this side waits for a response.
    /// window : int, default 1048576
    ///     How many bytes of responses the server may send ahead, beside the one that is being read.
    ///
    /// Returns
    /// -------
    /// Stream
    ///     The responses; those that the task sent with ``error=True`` are raised.
    ///
    /// Raises
    /// ------
    /// BgpyError
    ///     If the call cannot be sent; see `call`. The iterator raises the rest.
    ///
    /// Examples
    /// --------
    /// >>> for word in client.stream({"text": "a b c"}):
    /// ...     print(word)
    #[pyo3(signature = (args, timeout=None, *, on_progress=None, window=1_048_576))]
    fn stream(
        slf: &Bound<'_, Self>,
        py: Python<'_>,
        args: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
        on_progress: Option<Bound<'_, PyAny>>,
        window: u64,
    ) -> PyResult<Stream> {
        let limit = limit(py, timeout)?;
        let options = CallOptions { on_progress, timeout, window: Some(window) };
        begin(slf, py, Called::Task, args, options).map(|pending| Stream::new(pending, limit))
    }
}

/// What a call runs.
#[derive(Clone, Copy)]
pub enum Called<'a> {
    /// `exec_task`.
    Task,
    /// The method of this name.
    Method(&'a str),
}

impl Called<'_> {
    /// What the arguments are called in errors.
    pub fn root(self) -> &'static str {
        match self {
            Self::Task => "args",
            Self::Method(_) => "arguments",
        }
    }

    fn method(self) -> Option<String> {
        match self {
            Self::Task => None,
            Self::Method(name) => Some(name.to_owned()),
        }
    }
}

/// How a call is made.
#[derive(Default)]
pub struct CallOptions<'py> {
    pub on_progress: Option<Bound<'py, PyAny>>,
    pub timeout: Option<f64>,
    /// Makes its responses a stream.
    pub window: Option<u64>,
}

/// Sends a call.
pub fn begin(
    client: &Bound<'_, Client>,
    py: Python<'_>,
    called: Called<'_>,
    args: &Bound<'_, PyAny>,
    options: CallOptions<'_>,
) -> PyResult<Pending> {
    let CallOptions { on_progress, timeout, window } = options;
    if let Some(report) = on_progress.as_ref().filter(|report| !report.is_callable()) {
        let kind = report.get_type().name()?;
        return Err(PyTypeError::new_err(format!("on_progress must be a function, not {kind}")));
    }
    let this = client.get();
    let callbacks = std::cell::RefCell::new(Callbacks::default());
    let encoded = || {
        let (payload, found) = Callbacks::of(|| this.encode(py, called.root(), args, timeout))?;
        callbacks.replace(found);
        Ok(payload)
    };
    let want = if window.is_some() { Want::All } else { Want::First };
    let progress = on_progress.is_some();
    let call = this.calling(py, timeout, None, encoded, |link, payload, wait| {
        let method = called.method();
        let attached = window.is_some() || method.is_some();
        let head = CallHead { method, window, progress, attached, ..link.head(wait) };
        if window.is_some() {
            return link.begin(CallKind::Exec, want, &head, payload, wait);
        }
        link.begin_soon(CallKind::Exec, want, &head, payload, wait)
    })?;
    let on_progress = on_progress.map(Bound::unbind);
    Ok(Pending::new(client.clone().unbind(), call, on_progress, callbacks.into_inner()))
}

/// Makes a call and returns its first response. `meanwhile` is called now and then.
pub fn first(
    client: &Bound<'_, Client>,
    py: Python<'_>,
    called: Called<'_>,
    args: &Bound<'_, PyAny>,
    options: CallOptions<'_>,
    meanwhile: Option<&Py<PyAny>>,
) -> PyResult<Response> {
    let (this, timeout) = (client.get(), options.timeout);
    let encode = || this.encode(py, called.root(), args, timeout);
    let (payload, callbacks) = Callbacks::of(encode)?;
    if options.on_progress.is_some() || !callbacks.is_empty() {
        let pending = begin(client, py, called, args, options)?;
        return pending.first(py, limit(py, timeout)?, meanwhile);
    }
    let payload = Cell::new(Some(payload));
    let encoded = || payload.take().map_or_else(encode, Ok);
    this.calling(py, timeout, meanwhile, encoded, |link, args, wait| match called {
        Called::Task => link.first(CallKind::Exec, args, wait),
        Called::Method(name) => link.method(name, args, wait),
    })
}

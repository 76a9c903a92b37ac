//! `Call`: a call under way.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bgpy::Response;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::arguments::{limit, timeout, waiting};
use super::errors::no_response;
use super::pending::Pending;
use super::progress::ProgressReport;
use crate::exceptions::Class;
use crate::lazy::import;

/// How long a thread sleeps while another one takes the result over.
const LOOK: Duration = Duration::from_millis(20);

/// A call under way, as `Client.begin` returns it.
///
/// It may be used by several threads, and in ``async`` code: ``await call`` returns its result. If it is dropped, the
/// call runs all the same.
#[pyclass(module = "bgpy", frozen, weakref)]
pub struct Call {
    pub(super) pending: Pending,
    outcome: Mutex<Outcome>,
    settled: Condvar,
}

#[derive(Default)]
enum Outcome {
    #[default]
    Open,
    Settled(PyResult<Py<PyAny>>),
}

impl Call {
    pub fn new(pending: Pending) -> Self {
        Self { pending, outcome: Mutex::default(), settled: Condvar::new() }
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result, if it is there.
    fn settled(&self, py: Python<'_>) -> Option<PyResult<Py<PyAny>>> {
        match &*self.outcome() {
            Outcome::Settled(Ok(value)) => Some(Ok(value.clone_ref(py))),
            Outcome::Settled(Err(error)) => Some(Err(error.clone_ref(py))),
            Outcome::Open => None,
        }
    }

    fn settle(&self, result: PyResult<Py<PyAny>>) {
        let mut outcome = self.outcome();
        if !matches!(*outcome, Outcome::Settled(_)) {
            *outcome = Outcome::Settled(result);
        }
        drop(outcome);
        self.settled.notify_all();
    }

    /// Makes the result of the last step. `false` if another thread does.
    fn take(&self, py: Python<'_>, last: PyResult<Option<Response>>) -> bool {
        let client = self.pending.client.get();
        match last {
            Ok(Some(response)) => {
                let value = client.response(py, response).map(Bound::unbind);
                self.settle(value);
            }
            Ok(None) => {
                if self.pending.has_last_response() {
                    return false;
                }
                let server = client.client.target().to_string();
                self.settle(Err(no_response(py, &server)));
            }
            Err(failed) => self.settle(Err(failed)),
        }
        true
    }

    fn wait(&self, py: Python<'_>, limit: Option<Duration>) -> PyResult<()> {
        let since = Instant::now();
        loop {
            if self.settled(py).is_some() {
                return Ok(());
            }
            let left = limit.map(|limit| limit.saturating_sub(since.elapsed()));
            match self.pending.next(py, left) {
                // The call goes on.
                Err(error) if !self.pending.is_over() && !is_lost(py, &error) => return Err(error),
                last => {
                    if !self.take(py, last) {
                        py.detach(|| {
                            drop(self.settled.wait_timeout(self.outcome(), LOOK));
                        });
                        py.check_signals()?;
                    }
                }
            }
        }
    }
}

/// Whether the call will never end, because its connection is lost.
fn is_lost(py: Python<'_>, raised: &PyErr) -> bool {
    crate::exceptions::is(raised, py, Class::ConnectionLost)
}

#[pymethods]
impl Call {
    /// Wait for the end of the call, and return the first response of its task.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Maximum time to wait, in seconds. The call goes on when it has passed.
    ///
    /// Returns
    /// -------
    /// object
    ///     The response.
    ///
    /// Raises
    /// ------
    /// CallTimeout
    ///     If the call has not ended within `timeout` seconds.
    /// CallCancelled
    ///     If the call was cancelled.
    /// BgpyError
    ///     As for `Client.call`.
    #[pyo3(signature = (timeout=None))]
    fn result(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        self.wait(py, limit(py, timeout)?)?;
        self.settled(py).unwrap_or_else(|| Ok(py.None()))
    }

    /// Wait for the end of the call, and return what `result` raises, or None.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Maximum time to wait, in seconds.
    ///
    /// Returns
    /// -------
    /// BaseException or None
    ///     The exception.
    ///
    /// Raises
    /// ------
    /// CallTimeout
    ///     If the call has not ended within `timeout` seconds.
    #[pyo3(signature = (timeout=None))]
    fn exception(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Option<Py<PyAny>>> {
        self.wait(py, limit(py, timeout)?)?;
        Ok(self.settled(py).and_then(Result::err).map(|error| error.into_value(py).into_any()))
    }

    /// Whether the call has ended and its result has arrived. It does not wait.
    fn done(&self, py: Python<'_>) -> bool {
        if self.settled(py).is_some() {
            return true;
        }
        match self.pending.try_next(py) {
            Ok(None) => false,
            Ok(Some(last)) => self.take(py, Ok(last)),
            Err(failed) => self.take(py, Err(failed)),
        }
    }

    /// Cancel the call: if it waits, it does not run; if it runs, `Cancelled` is raised in its task.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, default 5
    ///     Maximum time to wait for the end of the call, in seconds.
    ///
    /// Returns
    /// -------
    /// str
    ///     ``"cancelled"``; ``"finished"`` if the call has ended otherwise, so that `result` has what it came to; or
    ///     ``"running"`` if the task has not ended within `timeout` seconds.
    ///
    /// Raises
    /// ------
    /// ConnectionLost
    ///     If the server cannot be told.
    #[pyo3(signature = (timeout=5.0))]
    fn cancel(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<&'static str> {
        let limit = limit(py, timeout)?;
        self.pending.check(py)?;
        if !self.done(py) {
            self.pending.cancel(py, limit)?;
            match self.wait(py, limit) {
                Err(error) if crate::exceptions::is(&error, py, Class::CallTimeout) => {
                    return Ok("running");
                }
                waited => waited?,
            }
        }
        Ok(match self.settled(py) {
            Some(Err(error)) if crate::exceptions::is(&error, py, Class::CallCancelled) => {
                "cancelled"
            }
            _ => "finished",
        })
    }

    /// Return a `concurrent.futures.Future` of the call, for functions that want one.
    ///
    /// A thread waits for it, one for all such calls of a connection. Cancelling the future asks the server to cancel
    /// the call.
    ///
    /// Returns
    /// -------
    /// concurrent.futures.Future
    ///     The future.
    fn future<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        import(slf.py(), "bgpy._calls")?.getattr("future_of")?.call1((slf,))
    }

    /// Wait for the result in a coroutine: ``await call``.
    fn __await__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let wrap = slf.py().import("asyncio")?.getattr("wrap_future")?;
        wrap.call1((Self::future(slf)?,))?.call_method0("__await__")
    }

    /// The connection that it is on, by a number.
    fn _connection(&self) -> usize {
        std::sync::Arc::as_ptr(self.pending.link()).addr()
    }

    /// How often something has arrived on the connection.
    fn _arrivals(&self, py: Python<'_>) -> u64 {
        let link = self.pending.link();
        py.detach(|| if link.is_here() { link.arrivals() } else { 0 })
    }

    /// Wait until more has arrived on the connection than `seen`, or for `timeout` seconds at most.
    fn _await_arrival(
        &self,
        py: Python<'_>,
        seen: u64,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<()> {
        let link = self.pending.link();
        if !link.is_here() {
            return Ok(());
        }
        // Why it has not arrived, each call tells by itself.
        waiting(py, limit(py, timeout)?, |wait| drop(link.pump(seen, wait)))
    }

    /// For annotations: ``Call[int]``.
    #[classmethod]
    fn __class_getitem__<'py>(
        cls: &Bound<'py, PyType>,
        item: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        cls.py().import("types")?.getattr("GenericAlias")?.call1((cls, item))
    }

    /// How far the call has come, as last heard while somebody waited for it, or None.
    #[getter]
    fn progress(&self) -> Option<ProgressReport> {
        self.pending.progress()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let server = self.pending.client.get().client.target();
        let state = match self.settled(py) {
            None => "under way",
            Some(Ok(_)) => "done",
            Some(Err(_)) => "failed",
        };
        format!("<bgpy.Call on {server}: {state}>")
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.pending.detach();
    }
}

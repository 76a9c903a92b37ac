//! `Stream`: the responses of a call, one after the other.

use std::time::Duration;

use crate::once::Once;
use pyo3::prelude::*;

use super::pending::Pending;
use super::progress::ProgressReport;

/// The responses of a call, as `Client.stream` returns them: an iterator that ends with the task.
///
/// The server is never further ahead than its window; a task that responds faster than its responses are read waits.
/// Leaving the loop early cancels the call, as soon as the stream is closed or dropped: use it in a ``with`` block
/// to be sure when.
#[pyclass(module = "bgpy", frozen, weakref)]
pub struct Stream {
    pending: Pending,
    limit: Option<Duration>,
    /// What the method has returned.
    result: Once<Py<PyAny>>,
}

impl Stream {
    pub fn new(pending: Pending, limit: Option<Duration>) -> Self {
        Self { pending, limit, result: Once::new() }
    }
}

#[pymethods]
impl Stream {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(response) = self.pending.next(py, self.limit)? else { return Ok(None) };
        let value = self.pending.client.get().response(py, response)?;
        if !self.pending.has_last_response() {
            return Ok(Some(value));
        }
        self.result.get_or_init(py, || value.unbind());
        Ok(None)
    }

    /// Cancel the call unless it has ended. Nothing more is read.
    fn close(&self, py: Python<'_>) {
        self.pending.give_up(py);
    }

    /// What the generator has returned, once the stream has ended; None before.
    #[getter]
    fn result(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.result.get(py).map(|result| result.clone_ref(py))
    }

    /// How far the call has come, as last heard, or None.
    #[getter]
    fn progress(&self) -> Option<ProgressReport> {
        self.pending.progress()
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let server = self.pending.client.get().client.target();
        let state = if self.pending.is_over() { "closed" } else { "open" };
        format!("<bgpy.Stream from {server}: {state}>")
    }
}

//! Waiting for a job in an event loop.

use pyo3::prelude::*;

use super::async_calls::Kind;
use super::async_link::AsyncLink;
use super::callback::Callbacks;

#[pymethods]
impl AsyncLink {
    /// Queue a wait for a job, and have its result set in `future`.
    #[pyo3(signature = (future, job, is_of_method, on_progress=None))]
    fn await_job(
        &self,
        py: Python<'_>,
        future: Py<PyAny>,
        job: &str,
        is_of_method: bool,
        on_progress: Option<Py<PyAny>>,
    ) -> PyResult<u64> {
        let call = self.link.queue_wait(job, is_of_method, on_progress.is_some());
        self.add(py, call, Kind::First, Some(future), on_progress, Callbacks::default())
    }
}

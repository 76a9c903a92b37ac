//! The calls under way on a connection in an event loop.

use crate::once::interned;
use bgpy::{Answer, Call, CallError, Progress, Step};
use pyo3::prelude::*;

use super::callback::Callbacks;
use super::progress::ProgressReport;

/// A call under way.
pub struct Entry {
    pub call: Call,
    pub kind: Kind,
    /// What waits for the call: a future of the loop.
    pub future: Option<Py<PyAny>>,
    pub on_progress: Option<Py<PyAny>>,
    pub callbacks: Callbacks,
}

/// What a caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first response.
    First,
    /// The first response, even one that reports an error.
    Raw,
    /// That the server has accepted it.
    Accepted(&'static str),
    /// The end of an INIT.
    Init,
    /// Any step: the stream takes it itself.
    Stream,
    /// The answer to a question.
    Question,
}

/// What has arrived for a call.
pub enum Arrived {
    Step(Step),
    Answer(Answer),
    Failed(CallError),
}

impl Entry {
    /// What has arrived next.
    pub fn next(&mut self) -> Option<Arrived> {
        if self.kind == Kind::Question {
            return match self.call.try_answer() {
                Ok(answer) => answer.map(Arrived::Answer),
                Err(error) => Some(Arrived::Failed(error)),
            };
        }
        match self.call.try_step() {
            Ok(Some(step)) => Some(Arrived::Step(step)),
            Ok(None) => None,
            Err(error) => Some(Arrived::Failed(error)),
        }
    }
}

/// Sets the result of a future, unless it is cancelled.
pub fn settle(py: Python<'_>, future: &Py<PyAny>, result: PyResult<Py<PyAny>>) -> PyResult<()> {
    let future = future.bind(py);
    if future.call_method0(interned!(py, "done"))?.is_truthy()? {
        return Ok(());
    }
    match result {
        Ok(value) => future.call_method1(interned!(py, "set_result"), (value,)),
        Err(error) => future.call_method1(interned!(py, "set_exception"), (error.into_value(py),)),
    }
    .map(drop)
}

/// Has the handler tell a caller how far its call has come.
pub fn tell_progress(
    handler: &Bound<'_, PyAny>,
    report: Option<Py<PyAny>>,
    progress: Progress,
) -> PyResult<()> {
    let Some(report) = report else { return Ok(()) };
    let progress = ProgressReport::from(progress);
    handler.call_method1(interned!(handler.py(), "report"), (report, progress)).map(drop)
}

//! `AsyncCall`: the call of an `async def` method, as the event loop of a service has it, and the bell of that loop.

use std::sync::Arc;
use std::time::Instant;

use bgpy::server::SocketBell;
use bgpy::{Failure, FailureCode, Reply, Room};
use pyo3::prelude::*;

use super::current::cancelled;
use super::failure::call_failure;
use super::reply::{send, send_last};

/// The call of an ``async def`` method.
#[pyclass(module = "bgpy._bgpy", frozen)]
pub struct AsyncCall {
    pub reply: Reply,
}

#[pymethods]
impl AsyncCall {
    /// Send what the method has returned, and end the call.
    fn succeed(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        send(py, &self.reply, "the result", value)?;
        py.detach(|| self.reply.end(Ok(())));
        Ok(())
    }

    /// Send a value of a stream.
    fn send(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        send(py, &self.reply, "a value of the stream", value).map(drop)
    }

    /// End a stream, with what the method has returned if that is not None.
    fn end(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if !value.is_none() {
            send_last(py, &self.reply, value)?;
        }
        py.detach(|| self.reply.end(Ok(())));
        Ok(())
    }

    /// End the call with what the method has raised.
    fn fail(&self, py: Python<'_>, raised: Bound<'_, PyAny>) -> PyResult<()> {
        let asyncio = py.import("asyncio")?.getattr("CancelledError")?;
        let is_cancelled = raised.is_instance(&asyncio)?;
        let raised = match is_cancelled && self.reply.cancellation().why().is_some() {
            true => cancelled(py),
            false => PyErr::from_value(raised),
        };
        let mut failure = call_failure(py, &raised, &self.reply);
        if is_cancelled && failure.code == FailureCode::Task {
            let text = "its task was cancelled on the server";
            failure = Failure::new(FailureCode::Cancelled, text);
        }
        py.detach(|| self.reply.end(Err(failure)));
        Ok(())
    }

    /// Whether the reader of the stream has room for another value; None if nobody reads it any more.
    fn has_room(&self, py: Python<'_>) -> Option<bool> {
        match py.detach(|| self.reply.room()) {
            Room::Open => Some(true),
            Room::Full => Some(false),
            Room::Gone => None,
        }
    }

    /// Whether the call is to be cancelled; once for each request.
    fn take_cancel(&self) -> bool {
        self.reply.cancellation().take()
    }

    /// Seconds until the deadline of the caller, if it has one.
    fn time_left(&self) -> Option<f64> {
        let deadline = self.reply.deadline()?;
        Some(deadline.saturating_duration_since(Instant::now()).as_secs_f64())
    }
}

/// Ends the turn of an event loop.
#[pyclass(module = "bgpy._bgpy", frozen)]
pub struct LoopBell {
    pub bell: Arc<SocketBell>,
}

#[pymethods]
impl LoopBell {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self { bell: Arc::new(SocketBell::new()?) })
    }

    /// Number of the descriptor that is readable once it has rung.
    fn fileno(&self) -> i64 {
        self.bell.descriptor()
    }

    /// Note that it was heard.
    fn heard(&self) {
        self.bell.heard();
    }
}

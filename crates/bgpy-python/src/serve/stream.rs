//! The call of a method that yields values.

use std::time::Instant;

use crate::once::interned;
use bgpy::server::Suspended;
use bgpy::{Failure, Reply, Room};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use pyo3::types::iterator::PySendResult;

use super::current::cancelled;
use super::forked::ServerProcess;
use super::reply::{await_room, send, send_last};
use super::within_call::run;

/// An iterator whose values are sent as fast as they are read. If it is a generator, it is closed when this is over
/// or dropped.
pub struct StreamCall {
    /// None once it is over.
    iterator: Option<Py<PyIterator>>,
    reply: Reply,
    server_process: ServerProcess,
}

impl StreamCall {
    /// Of what the method `name` has returned.
    pub fn new(
        result: &Bound<'_, PyAny>,
        name: &str,
        reply: &Reply,
        server_process: ServerProcess,
    ) -> PyResult<Self> {
        let iterator = result.try_iter().map_err(|_| {
            let kind = result.get_type().name().map(|kind| kind.to_string()).unwrap_or_default();
            PyTypeError::new_err(format!("{name} must return an iterator, not {kind}"))
        })?;
        let iterator = Some(iterator.unbind());
        Ok(Self { iterator, reply: reply.clone(), server_process })
    }

    /// Sends what it yields until it is over, its reader has to catch up, or others wait; `true` if it is over.
    pub fn advance(&mut self, py: Python<'_>) -> PyResult<bool> {
        let outcome = self.proceed(py);
        if matches!(outcome, Ok(false)) {
            return outcome;
        }
        // What it does at its end must not be interrupted.
        self.reply.cancellation().close();
        // On the thread that ran it, so that its `finally` runs there as well.
        let closed = self.close(py);
        outcome.and_then(|is_over| closed.map(|()| is_over))
    }

    /// Sends all that it yields, and waits for its reader.
    pub fn run_to_end(&mut self, py: Python<'_>) -> PyResult<()> {
        while !self.advance(py)? {
            await_room(py, &self.reply)?;
        }
        Ok(())
    }

    fn proceed(&self, py: Python<'_>) -> PyResult<bool> {
        let Some(iterator) = &self.iterator else { return Ok(true) };
        let (iterator, since) = (iterator.bind(py), Instant::now());
        loop {
            let room = py.detach(|| self.reply.room());
            if self.reply.cancellation().take() {
                // It was cancelled while it waited.
                throw(iterator, cancelled(py))?;
                continue;
            }
            match room {
                Room::Gone => return Ok(true),
                Room::Full => return Ok(false),
                Room::Open => {}
            }
            match iterator.send(py.None().bind(py))? {
                PySendResult::Next(value) => {
                    send(py, &self.reply, "a value of the stream", &value)?;
                }
                PySendResult::Return(value) if value.is_none() => return Ok(true),
                PySendResult::Return(value) => {
                    return send_last(py, &self.reply, &value).map(|_| true);
                }
            }
            if self.reply.gives_way(since) {
                return Ok(false);
            }
        }
    }

    fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        let Some(iterator) = self.iterator.take() else { return Ok(()) };
        let close = iterator.bind(py).as_any().getattr_opt(interned!(py, "close"))?;
        close.map_or(Ok(()), |close| close.call0().map(drop))
    }
}

/// Raises an exception where a generator waits. Another iterator cannot catch it.
fn throw(iterator: &Bound<'_, PyIterator>, raised: PyErr) -> PyResult<()> {
    let py = iterator.py();
    match iterator.as_any().getattr_opt(interned!(py, "throw"))? {
        Some(throw) => throw.call1((raised.into_value(py),)).map(drop),
        None => Err(raised),
    }
}

impl Suspended for StreamCall {
    fn is_ready(&self) -> bool {
        self.reply.room() != Room::Full
    }

    fn resume(&mut self) -> Result<bool, Failure> {
        let reply = self.reply.clone();
        Python::attach(|py| run(py, self.server_process, &reply, || self.advance(py)))
    }
}

impl Drop for StreamCall {
    fn drop(&mut self) {
        if self.iterator.is_some() {
            Python::try_attach(|py| {
                if let Err(error) = self.close(py) {
                    error.write_unraisable(py, None);
                }
            });
        }
    }
}

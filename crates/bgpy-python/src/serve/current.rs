//! The call that a thread runs, for functions of bgpy that tasks call without naming it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use bgpy::{Progress, Reply};
use pyo3::prelude::*;

use crate::exceptions::{Class, error};

/// The calls that servers of this process run, each with its thread. Locked only for a moment, with the GIL held, so
/// that no fork inherits it locked.
static RUNNING: Mutex<Vec<(ThreadId, Reply)>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<(ThreadId, Reply)>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes which call this thread runs, until it is dropped.
#[must_use]
pub struct Current {
    thread: ThreadId,
}

impl Current {
    pub fn is(reply: &Reply) -> Self {
        let thread = thread::current().id();
        running().push((thread, reply.clone()));
        Self { thread }
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        let mut running = running();
        if let Some(place) = running.iter().rposition(|(thread, _)| *thread == self.thread) {
            // Dropped after the lock is released.
            let _call = running.remove(place);
            drop(running);
        }
    }
}

/// The call of this thread. A thread that a task has started has none of its own: it works for the call that began
/// last.
fn current() -> Option<Reply> {
    let running = running();
    let own = thread::current().id();
    let of_thread = running.iter().rev().find(|(thread, _)| *thread == own);
    of_thread.or(running.last()).map(|(_, reply)| reply.clone())
}

/// The caller's deadline, and its trace context.
pub fn reply_of_this_call() -> Option<Reply> {
    current()
}

/// Tell the caller how far the task has come. It also raises `Cancelled` if the call was cancelled.
///
/// The caller sees it with ``on_progress``, and everybody in ``bgpy status``, ``ps`` and ``top``. It takes less than a
/// microsecond and never waits: only the latest progress counts, and it is passed on several times a second. Outside
/// of a task it does nothing.
///
/// Parameters
/// ----------
/// done : float, optional
///     What is done, in any unit.
/// total : float, optional
///     What there is to do in all, in the same unit.
/// text : str, optional
///     What the task is doing; at most 512 bytes are kept.
///
/// Raises
/// ------
/// Cancelled
///     If the call was cancelled.
#[pyfunction]
#[pyo3(signature = (done=None, total=None, text=None))]
pub fn progress(
    py: Python<'_>,
    done: Option<f64>,
    total: Option<f64>,
    text: Option<&str>,
) -> PyResult<()> {
    let Some(reply) = current() else { return Ok(()) };
    reply.progress(Progress::new(done, total, text));
    check(py, &reply)
}

/// Raise `Cancelled` if the call that this thread works for was cancelled.
///
/// A task need not call it on the main thread, where `Cancelled` is raised by itself. The threads that a task has
/// started learn of it only here and in `progress`. Outside of a task it does nothing.
///
/// Raises
/// ------
/// Cancelled
///     If the call was cancelled.
#[pyfunction]
pub fn check_cancelled(py: Python<'_>) -> PyResult<()> {
    current().map_or(Ok(()), |reply| check(py, &reply))
}

fn check(py: Python<'_>, reply: &Reply) -> PyResult<()> {
    let is_own = running().iter().any(|(thread, _)| *thread == thread::current().id());
    let is_cancelled = if is_own { reply.cancellation().take() } else { reply.is_cancelled() };
    if is_cancelled { Err(cancelled(py)) } else { Ok(()) }
}

/// What is raised in a task whose call was cancelled.
pub fn cancelled(py: Python<'_>) -> PyErr {
    error(py, Class::Cancelled, "the call was cancelled")
}

/// A context manager that puts off the cancellation of the call until its end.
///
/// For steps of a task that must not be left half done. Shields nest; at the end of the outermost one, `Cancelled` is
/// raised if the call was cancelled meanwhile. Outside of a task it does nothing.
///
/// Examples
/// --------
/// >>> with bgpy.shield():
/// ...     account.withdraw(amount)
/// ...     other.deposit(amount)
#[pyclass(module = "bgpy", name = "shield", frozen)]
pub struct Shield {
    reply: Mutex<Vec<Option<Reply>>>,
}

#[pymethods]
impl Shield {
    #[new]
    fn new() -> Self {
        Self { reply: Mutex::new(Vec::new()) }
    }

    fn __enter__(&self) {
        let own = thread::current().id();
        let reply = running()
            .iter()
            .rev()
            .find(|(thread, _)| *thread == own)
            .map(|(_, reply)| reply.clone());
        if let Some(reply) = &reply {
            reply.cancellation().shield();
        }
        self.reply.lock().unwrap_or_else(PoisonError::into_inner).push(reply);
    }

    #[pyo3(signature = (kind=None, _value=None, _traceback=None))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: Option<&Bound<'_, PyAny>>,
        _value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner).pop().flatten();
        let Some(reply) = reply else { return Ok(()) };
        reply.cancellation().unshield();
        // An exception that leaves the block is not replaced.
        if kind.is_none() && reply.cancellation().take() { Err(cancelled(py)) } else { Ok(()) }
    }
}

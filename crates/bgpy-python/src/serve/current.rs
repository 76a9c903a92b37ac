//! The call that a thread runs, for functions of bgpy that tasks call without naming it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::once::Once;
use bgpy::{Progress, Reply};
use pyo3::prelude::*;

use super::async_call::AsyncCall;
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

/// Tells which call the running task of an event loop works for, once a service has such a loop: it costs others
/// nothing.
static OF_LOOP: Once<Py<PyAny>> = Once::new();

/// Have `progress` and the like ask for the call that an event loop runs.
#[pyfunction]
pub fn use_loops(py: Python<'_>, running_call: Py<PyAny>) {
    OF_LOOP.get_or_init(py, || running_call);
}

/// The call that this thread runs, or that it works for in an event loop.
fn own_call(py: Python<'_>) -> Option<Reply> {
    let own = thread::current().id();
    let of_thread =
        running().iter().rev().find(|(thread, _)| *thread == own).map(|(_, it)| it.clone());
    of_thread.or_else(|| {
        let call = OF_LOOP.get(py)?.call0(py).ok()?;
        Some(call.bind(py).cast::<AsyncCall>().ok()?.get().reply.clone())
    })
}

/// The call of this thread. A thread that a task has started has none of its own: it works for the call that began
/// last.
fn current(py: Python<'_>) -> Option<Reply> {
    own_call(py).or_else(|| running().last().map(|(_, reply)| reply.clone()))
}

/// The caller's deadline, and its trace context.
pub fn reply_of_this_call(py: Python<'_>) -> Option<Reply> {
    current(py)
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
    let Some(reply) = current(py) else { return Ok(()) };
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
    current(py).map_or(Ok(()), |reply| check(py, &reply))
}

fn check(py: Python<'_>, reply: &Reply) -> PyResult<()> {
    let is_own = own_call(py).is_some();
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

    fn __enter__(&self, py: Python<'_>) {
        let reply = own_call(py);
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

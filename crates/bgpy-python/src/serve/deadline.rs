//! The deadline of a call, while its task runs: calls that the task makes have no more time than it has itself.

use std::time::Instant;

use bgpy::Reply;
use pyo3::prelude::*;

use crate::lazy::Lazy;

/// Runs a part of a task within the deadline of its call.
pub fn within_deadline<T>(
    py: Python<'_>,
    reply: &Reply,
    act: impl FnOnce() -> PyResult<T>,
) -> PyResult<T> {
    static DEADLINE: Lazy = Lazy::new("bgpy._deadline", "deadline");
    let Some(deadline) = reply.deadline() else { return act() };
    let left = deadline.saturating_duration_since(Instant::now()).as_secs_f64();
    let context = DEADLINE.get(py)?.call1((left,))?;
    context.call_method0("__enter__")?;
    let acted = act();
    context.call_method1("__exit__", (py.None(), py.None(), py.None()))?;
    acted
}

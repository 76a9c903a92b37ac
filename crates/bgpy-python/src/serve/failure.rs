//! What a task raised, as the failure that its caller gets.

use crate::once::interned;
use bgpy::server::Why;
use bgpy::{Failure, FailureCode, Reply};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTraceback};

use crate::codec::causes::{causes, type_name};
use crate::codec::encode::{Receiver, encode_exception};
use crate::codec::text::{shortened, text};
use crate::exceptions::{Class, is};

/// The failure that tells a client what a task raised.
pub fn task_failure(py: Python<'_>, error: &PyErr, reply: Option<&Reply>) -> Failure {
    let value = error.value(py);
    // If the exception cannot be pickled, the client gets only its text and traceback.
    let takes_pickles = || Ok(reply.is_none_or(|reply| py.detach(|| reply.takes_pickles())));
    let client = Receiver { name: "the client", takes_pickles: &takes_pickles };
    Failure {
        code: FailureCode::Task,
        message: text(value),
        exception: Some(type_name(value)),
        traceback: traceback(py, error).ok(),
        causes: causes(value, &client),
        object: encode_exception(py, value.as_any(), &client),
    }
}

/// The failure of a call: what its task raised, or that it was cancelled.
pub fn call_failure(py: Python<'_>, error: &PyErr, reply: &Reply) -> Failure {
    let failure = task_failure(py, error, Some(reply));
    let why = reply.cancellation().why().filter(|_| is(error, py, Class::Cancelled));
    let (code, message) = match why {
        None => return failure,
        Some(Why::Expired) => (FailureCode::Expired, "the deadline has passed"),
        Some(Why::Asked) => (FailureCode::Cancelled, "the call was cancelled"),
        Some(Why::Gone) => (FailureCode::Cancelled, "its caller is gone"),
    };
    Failure { traceback: failure.traceback, ..Failure::new(code, message) }
}

/// An exception with its traceback, as Python prints it.
pub fn traceback(py: Python<'_>, error: &PyErr) -> PyResult<String> {
    let value = error.value(py);
    let parts = (value.get_type(), value, frames_of_tasks(error.traceback(py))?);
    let lines = py.import("traceback")?.getattr("format_exception")?.call1(parts)?;
    shortened(interned!(py, "").call_method1("join", (lines,))?.cast::<PyString>()?)
}

/// The files through which a tasks file is imported, as tracebacks name them.
const IMPORTS: [&str; 3] = ["<frozen importlib", "importlib/__init__.py", "bgpy/_tasks_file.py"];

/// A traceback without its outermost frames, those that import a tasks file.
fn frames_of_tasks(
    mut traceback: Option<Bound<'_, PyTraceback>>,
) -> PyResult<Option<Bound<'_, PyTraceback>>> {
    while let Some(outermost) = &traceback {
        let code = outermost.getattr("tb_frame")?.getattr("f_code")?;
        let file = code.getattr("co_filename")?.extract::<String>()?;
        if !IMPORTS.iter().any(|own| file.starts_with(own) || file.ends_with(own)) {
            break;
        }
        traceback = outermost.getattr("tb_next")?.cast_into().ok();
    }
    Ok(traceback)
}

//! What is around the code of a program while it runs for a call.

use bgpy::{Delivered, Failure, FailureCode, Reply};
use pyo3::prelude::*;

use super::current::Current;
use super::deadline::within_deadline;
use super::failure::{call_failure, task_failure};
use super::forked::ServerProcess;
use crate::codec::decode::{Policy, decode};
use crate::codec::text::text;
use crate::exceptions::{is_memory_error, is_no_exception};

/// Runs a part of the program for a call, of which the functions of `bgpy` then know.
pub fn run<T>(
    py: Python<'_>,
    server_process: ServerProcess,
    reply: &Reply,
    act: impl FnOnce() -> PyResult<T>,
) -> Result<T, Failure> {
    let _current = Current::is(reply);
    let acted = server_process.run(py, || within_deadline(py, reply, act));
    // What is done from here on, such as the traceback, must not be interrupted.
    reply.cancellation().close();
    acted.map_err(|error| call_failure(py, &error, reply))
}

/// Decodes a message of a client; `root` names it in errors.
pub fn receive<'py>(
    py: Python<'py>,
    root: &str,
    message: Delivered,
    policy: Policy,
    server_process: ServerProcess,
    reply: &Reply,
) -> Result<Bound<'py, PyAny>, Failure> {
    let _current = Current::is(reply);
    server_process.run(py, || decode(py, root, message, policy)).map_err(|error| {
        // Ctrl-C, `sys.exit` and the like are failures of the task, as they would be inside it.
        reply.cancellation().close();
        if is_no_exception(&error, py) {
            return call_failure(py, &error, reply);
        }
        let code = match policy.allow_pickle {
            _ if is_memory_error(&error, py) => FailureCode::Task,
            true => FailureCode::Serialization,
            false => FailureCode::Refused,
        };
        // The exception that unpickling raised says more than the error around it.
        let told = error.cause(py).unwrap_or_else(|| error.clone_ref(py));
        let message = text(error.value(py));
        Failure { code, message, ..task_failure(py, &told, Some(reply)) }
    })
}

//! A function of the caller's, as a task sees it.

use bgpy::server::CallbackState;
use bgpy::{Exceptions, Failure, Reply};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::current::reply_of_this_call;
use super::reply::LOOK;
use crate::codec::causes::rebuild;
use crate::codec::decode::{Policy, decode};
use crate::codec::encode::{Receiver, encode};
use crate::exceptions::{Class, error, serialization_error};

/// A function of the caller's, which runs there while this task waits for it. See `bgpy.callback`.
#[pyclass(module = "bgpy._bgpy", frozen)]
pub struct RemoteCallback {
    number: u64,
    /// The call that it came with.
    reply: Option<Reply>,
}

#[pymethods]
impl RemoteCallback {
    #[new]
    fn new(py: Python<'_>, number: u64) -> Self {
        Self { number, reply: reply_of_this_call(py) }
    }

    #[pyo3(signature = (*arguments, **keywords))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        arguments: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let gone = || {
            let text = "the call that this callback came with is over";
            error(py, Class::CallbackGone, text)
        };
        let reply = self.reply.as_ref().ok_or_else(gone)?;
        if reply.is_in_child() {
            let text = "this process was forked by a task: only the server itself can call its caller back";
            return Err(error(py, Class::CallbackGone, text));
        }
        let keywords = keywords.cloned().unwrap_or_else(|| PyDict::new(py));
        let message = (self.number, arguments, keywords).into_pyobject(py)?;
        let takes_pickles = || Ok(py.detach(|| reply.takes_pickles()));
        let client = Receiver { name: "the client", takes_pickles: &takes_pickles };
        let payload = encode(py, "arguments", message.as_any(), &client)?;
        let called = py.detach(|| reply.callback(payload)).map_err(|error| {
            serialization_error(
                py,
                format!("the arguments of a callback cannot be sent: {error}"),
                None,
            )
        })?;
        let number = called.ok_or_else(gone)?;
        loop {
            match py.detach(|| reply.await_callback(number, LOOK)) {
                CallbackState::Returned(Ok(message)) => {
                    return decode(py, "the result of the callback", message, Policy::new(true));
                }
                CallbackState::Returned(Err(failed)) => {
                    let (failure, exceptions) = *failed;
                    return Err(raised(py, &failure, exceptions).unwrap_or_else(|error| error));
                }
                CallbackState::Gone => return Err(gone()),
                CallbackState::Waiting => {
                    if let Err(interrupted) = py.check_signals() {
                        reply.forget_callback(number);
                        return Err(interrupted);
                    }
                }
            }
        }
    }

    fn __repr__(&self) -> &'static str {
        "<bgpy callback>"
    }
}

/// The exception for a callback that has raised.
fn raised(py: Python<'_>, failure: &Failure, exceptions: Exceptions) -> PyResult<PyErr> {
    let raised = error(py, Class::RemoteError, format!("the callback raised {failure}"));
    let value = raised.value(py);
    value.setattr("exception_type", failure.exception.as_deref())?;
    value.setattr("remote_traceback", failure.traceback.as_deref())?;
    let exception = rebuild(py, &raised, failure, exceptions, Policy::new(true))?;
    value.setattr("exception", exception.as_ref())?;
    if let Some(exception) = exception {
        raised.set_cause(py, Some(PyErr::from_value(exception.into_any())));
    }
    Ok(raised)
}

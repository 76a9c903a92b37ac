//! Functions of the caller's that a task may call while its call is under way.

use std::cell::RefCell;

use bgpy::{Chain, Delivered, Failure, Payload};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::client::Client;
use crate::codec::decode::decode;
use crate::exceptions::{Class, error};
use crate::serve::failure::task_failure;

thread_local! {
    /// The callbacks in the arguments that this thread encodes, if it does.
    static COLLECTED: RefCell<Option<Vec<Py<PyAny>>>> = const { RefCell::new(None) };
}

/// Wrap a function, so that a task can call it while this call is under way.
///
/// Pass it in the arguments of a call. The task gets an object that it can call with any arguments that can be sent;
/// the function runs here, on the thread that waits for the call, and its result goes back to the task. If it raises,
/// the task gets a `RemoteError`. When the call is over, the object raises `CallbackGone`.
///
/// Parameters
/// ----------
/// function : callable
///     The function.
///
/// Examples
/// --------
/// >>> client.call({"epochs": 3, "on_epoch": bgpy.callback(print)})
#[pyclass(module = "bgpy", name = "callback", frozen)]
pub struct Callback {
    function: Py<PyAny>,
}

#[pymethods]
impl Callback {
    #[new]
    fn new(function: &Bound<'_, PyAny>) -> PyResult<Self> {
        if !function.is_callable() {
            let kind = function.get_type().name()?;
            let text = format!("callback: pass a function, not {kind}");
            return Err(pyo3::exceptions::PyTypeError::new_err(text));
        }
        Ok(Self { function: function.clone().unbind() })
    }

    #[pyo3(signature = (*arguments, **keywords))]
    fn __call__(
        &self,
        py: Python<'_>,
        arguments: &Bound<'_, PyTuple>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        self.function.call(py, arguments, keywords)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (u64,))> {
        let number = COLLECTED.with_borrow_mut(|collected| {
            let collected = collected.as_mut()?;
            collected.push(self.function.clone_ref(py));
            Some(collected.len() as u64 - 1)
        });
        let number = number.ok_or_else(|| {
            let text = "a callback can be sent only in the arguments of a call, stream or begin";
            error(py, Class::SerializationError, text)
        })?;
        Ok((py.import("bgpy._bgpy")?.getattr("RemoteCallback")?, (number,)))
    }
}

/// The callbacks of a call.
#[derive(Default)]
pub struct Callbacks {
    /// By number.
    functions: Vec<Py<PyAny>>,
    /// The servers that wait for what has made the call, if it waits in an event loop.
    pub waiting: Chain,
}

impl Callbacks {
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Encodes the arguments of a call, and keeps the callbacks in them.
    pub fn of(encode: impl FnOnce() -> PyResult<Payload>) -> PyResult<(Payload, Self)> {
        let outer = COLLECTED.replace(Some(Vec::new()));
        let encoded = encode();
        let collected = COLLECTED.replace(outer).unwrap_or_default();
        Ok((encoded?, Self { functions: collected, waiting: Chain::default() }))
    }

    /// The function that a task calls, and its arguments.
    ///
    /// # Errors
    /// `SerializationError` if the arguments cannot be decoded, `CallbackGone` if there is no such function.
    pub fn unpack<'py>(
        &self,
        py: Python<'py>,
        client: &Bound<'_, Client>,
        message: Delivered,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let message = decode(py, "arguments", message, client.get().policy)?;
        let (number, arguments, keywords): (usize, Bound<'py, PyTuple>, Bound<'py, PyDict>) =
            message.extract()?;
        let function = self.functions.get(number).ok_or_else(|| {
            error(py, Class::CallbackGone, "the call has no callback of that number")
        })?;
        Ok((function.bind(py).clone(), arguments, keywords))
    }

    /// Runs a callback with its arguments, and returns what to send back.
    ///
    /// # Errors
    /// What is no `Exception`, such as `KeyboardInterrupt`.
    pub fn run(
        &self,
        py: Python<'_>,
        client: &Bound<'_, Client>,
        message: Delivered,
    ) -> PyResult<Result<Payload, Failure>> {
        let run = || -> PyResult<Payload> {
            let (function, arguments, keywords) = self.unpack(py, client, message)?;
            let returned = function.call(arguments, Some(&keywords))?;
            client.get().encode(py, "the result of the callback", &returned, None)
        };
        match run() {
            Ok(payload) => Ok(Ok(payload)),
            Err(raised) if crate::exceptions::is_no_exception(&raised, py) => Err(raised),
            Err(raised) => Ok(Err(task_failure(py, &raised, None))),
        }
    }
}

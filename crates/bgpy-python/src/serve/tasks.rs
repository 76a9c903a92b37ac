//! The three tasks: a program whose state is a dict, which `init_task` returns and `exec_task` may replace.

use std::fmt;

use bgpy::Reply;
use bgpy::server::{NO_METHODS, Pace};
use pyo3::exceptions::{PyAttributeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyString, PyTuple, PyType};

use super::program::Program;
use super::reply::ClientSocket;
use super::shown::Shown;
use crate::codec::path::TASK_NAMES;
use crate::lazy::import;

/// `exec_task`, `exit_task` and the state, after `init_task` has run.
pub struct TaskProgram {
    exec: Py<PyAny>,
    exit: Py<PyAny>,
    state: Py<PyDict>,
    shown: Shown,
}

impl TaskProgram {
    /// Starts the tasks that a module defines; `place` names it in errors.
    pub fn from_module(
        module: &Bound<'_, PyAny>,
        place: &impl fmt::Display,
        shown: &Shown,
    ) -> PyResult<Self> {
        let task = |name: &str| {
            module.getattr(name).map_err(|_| {
                let advice = class_to_name(module).unwrap_or_default();
                PyValueError::new_err(format!("{place} defines no {name}{advice}"))
            })
        };
        let [init, exec, exit] = TASK_NAMES;
        let exit = module.getattr_opt(exit)?.map_or_else(|| no_exit_task(module.py()), Ok)?;
        Self::start([task(init)?, task(exec)?, exit], None, shown)
    }

    /// Starts the tasks from the message of a client, which is none any more after a restart.
    pub fn from_message(
        message: &Bound<'_, PyAny>,
        reply: Option<&Reply>,
        shown: &Shown,
    ) -> PyResult<Self> {
        let (init, exec, exit) = message.extract().map_err(|_| {
            PyTypeError::new_err("INIT must contain init_task, exec_task and exit_task, or a class")
        })?;
        Self::start([init, exec, exit], reply, shown)
    }

    /// Checks the tasks and runs `init_task`, which returns the state.
    fn start(tasks: [Bound<'_, PyAny>; 3], reply: Option<&Reply>, shown: &Shown) -> PyResult<Self> {
        for (name, task) in TASK_NAMES.iter().zip(&tasks) {
            check(name, task)?.map_err(PyTypeError::new_err)?;
        }
        let [init, exec, exit] = tasks;
        let py = init.py();
        shown.begin(&exec);
        let state = match reply {
            Some(reply) if takes_argument(&init)? => init.call1((socket(py, reply)?,))?,
            None if takes_argument(&init)? => init.call1((py.None(),))?,
            _ => init.call0()?,
        };
        let state = as_state(&state, "init_task must return the state as a dict")?;
        shown.set_state(state.bind(py));
        Ok(Self { exec: exec.unbind(), exit: exit.unbind(), state, shown: shown.clone() })
    }
}

impl Program for TaskProgram {
    fn call(
        &mut self,
        py: Python<'_>,
        reply: &Reply,
        arguments: Bound<'_, PyAny>,
    ) -> PyResult<Pace> {
        if let Some(method) = reply.method() {
            let text = format!("this server has no method '{method}': {NO_METHODS}");
            return Err(PyAttributeError::new_err(text));
        }
        let next = self.exec.bind(py).call1((socket(py, reply)?, &self.state, arguments))?;
        // Most tasks change the state in place, and return it or nothing.
        if !next.is_none() && !next.is(&self.state) {
            let rule = "exec_task must return the state as a dict, or None to keep it";
            self.state = as_state(&next, rule)?;
            self.shown.set_state(self.state.bind(py));
        }
        Ok(Pace::Over)
    }

    fn exit(
        &mut self,
        py: Python<'_>,
        reply: &Reply,
        arguments: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let arguments = arguments.unwrap_or_else(|| PyDict::new(py).into_any());
        self.exit.bind(py).call1((socket(py, reply)?, &self.state, arguments)).map(drop)
    }
}

/// Advice for a user who has named a module with classes, and none of them.
fn class_to_name(module: &Bound<'_, PyAny>) -> PyResult<String> {
    let begin = import(module.py(), "bgpy._services.begin")?;
    let classes: Vec<String> = begin.call_method1("classes", (module,))?.extract()?;
    let advice = |class| format!("; to serve one of its classes, add the name, as in ':{class}'");
    Ok(classes.first().map(advice).unwrap_or_default())
}

/// Checks that a task is a function that the server can run; the inner error is a sentence that says why not.
pub fn check(name: &str, task: &Bound<'_, PyAny>) -> PyResult<Result<(), String>> {
    if !task.is_callable() {
        return Ok(Err(format!("{name} must be a function, not {}", task.get_type().name()?)));
    }
    let (kind, advice) = match flags(task)? {
        flags if flags & (COROUTINE | ASYNC_GENERATOR) != 0 => {
            ("an async def function", ", which may call asyncio.run(...)")
        }
        flags if flags & GENERATOR != 0 => ("a generator function", " without yield"),
        _ => return check_parameters(name, task),
    };
    let text = format!("{name} is {kind}, which a server cannot run: use a plain function{advice}");
    Ok(Err(text))
}

/// An `exit_task` that does nothing, for tasks without one. It can be sent to servers of any version, and
/// run by any version of Python.
pub fn no_exit_task(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let format = py.get_type::<PyString>().getattr("format")?;
    py.import("functools")?.call_method1("partial", (format, ""))
}

/// Checks that a task takes the arguments that a server passes.
fn check_parameters(name: &str, task: &Bound<'_, PyAny>) -> PyResult<Result<(), String>> {
    let [init, ..] = TASK_NAMES;
    let (counts, wanted): (&[usize], _) = if name == init {
        (&[0, 1], "no parameters, or one: client_socket")
    } else {
        (&[3], "three parameters: client_socket, state and args")
    };
    for count in counts {
        if takes(task, *count)? {
            return Ok(Ok(()));
        }
    }
    Ok(Err(format!("{name} must take {wanted}")))
}

/// Whether a task can be called with so many positional arguments; `true` if that is unknown.
fn takes(task: &Bound<'_, PyAny>, count: usize) -> PyResult<bool> {
    // For a plain function, without the cost of importing inspect.
    if task.is_instance_of::<PyFunction>() && !task.hasattr("__wrapped__")? {
        let code = task.getattr("__code__")?;
        let number = |name: &str| -> PyResult<usize> { code.getattr(name)?.extract() };
        let length = |name: &str| -> PyResult<usize> {
            let value = task.getattr(name)?;
            if value.is_none() { Ok(0) } else { value.len() }
        };
        let most = number("co_argcount")?;
        let is_open = number("co_flags")? & VARARGS as usize != 0;
        let needs_keyword = number("co_kwonlyargcount")? > length("__kwdefaults__")?;
        let needed = most - length("__defaults__")?;
        return Ok(count >= needed && (count <= most || is_open) && !needs_keyword);
    }
    let inspect = task.py().import("inspect")?;
    // Some built-in callables have no signature.
    let Ok(signature) = inspect.call_method1("signature", (task,)) else { return Ok(true) };
    let arguments = PyTuple::new(task.py(), vec![false; count])?;
    Ok(signature.call_method1("bind", arguments).is_ok())
}

// Flags of CPython's code objects: see inspect.CO_GENERATOR and the like.
const VARARGS: u32 = 0x04;
const GENERATOR: u32 = 0x20;
const COROUTINE: u32 = 0x80;
const ASYNC_GENERATOR: u32 = 0x200;

/// The flags of the code object that runs when a task is called; 0 if it has none.
fn flags(task: &Bound<'_, PyAny>) -> PyResult<u32> {
    let mut task = task.clone();
    while task.get_type().name()? == "partial" {
        task = task.getattr("func")?;
    }
    if let Ok(function) = task.getattr("__func__") {
        task = function;
    }
    if !task.is_instance_of::<PyFunction>() && !task.is_instance_of::<PyType>() {
        // Another callable object.
        task = task.get_type().getattr("__call__")?;
    }
    let code = task.getattr("__code__").and_then(|code| code.getattr("co_flags"));
    Ok(code.and_then(|flags| flags.extract()).unwrap_or(0))
}

fn socket<'py>(py: Python<'py>, reply: &Reply) -> PyResult<Bound<'py, ClientSocket>> {
    Bound::new(py, ClientSocket::new(reply.clone()))
}

fn as_state(returned: &Bound<'_, PyAny>, rule: &str) -> PyResult<Py<PyDict>> {
    returned.cast::<PyDict>().map(|state| state.clone().unbind()).map_err(|_| {
        let kind = returned.get_type().name().map(|name| name.to_string()).unwrap_or_default();
        PyTypeError::new_err(format!("{rule}, not {kind}"))
    })
}

/// Whether `init_task` takes the client socket: it may have that parameter or none.
fn takes_argument(task: &Bound<'_, PyAny>) -> PyResult<bool> {
    // A callable without a signature, such as some built-in types, is called without arguments.
    Ok(!takes(task, 0)?)
}

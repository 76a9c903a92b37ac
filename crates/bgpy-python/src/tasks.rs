//! The three functions that define a server.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bgpy::spawn::Config;
use bgpy::{Delivered, Reply};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyType};

use crate::decode::{Policy, decode};
use crate::reply::ClientSocket;

/// `init_task`, `exec_task` and `exit_task`.
pub struct Tasks {
    init: Py<PyAny>,
    exec: Py<PyAny>,
    exit: Py<PyAny>,
}

/// Where the tasks of a server come from.
#[derive(Debug)]
pub enum Origin {
    /// A Python file.
    File(PathBuf),
    /// A module that can be imported.
    Module(String),
    /// The message of the first client, kept for restarts.
    Client(Box<Delivered>),
}

impl Origin {
    /// The one that a configuration names.
    pub fn of(config: &Config) -> Option<Self> {
        let file = config.init_file.clone().map(Self::File);
        file.or_else(|| config.init_module.clone().map(Self::Module))
    }
}

/// The tasks that this process is importing for its server.
static BEING_IMPORTED: Mutex<Option<Origin>> = Mutex::new(None);

/// Whether a server would have the tasks that are being imported right now: it would import them too, and
/// start the next server.
pub fn are_being_imported(config: &Config) -> bool {
    let imported = BEING_IMPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    match (imported.as_ref(), Origin::of(config)) {
        (Some(Origin::File(one)), Some(Origin::File(other))) => *one == other,
        (Some(Origin::Module(one)), Some(Origin::Module(other))) => *one == other,
        _ => false,
    }
}

/// Runs `import`, with `origin` noted in the meantime.
fn importing<T>(origin: Origin, import: impl FnOnce() -> T) -> T {
    let set = |origin| *BEING_IMPORTED.lock().unwrap_or_else(PoisonError::into_inner) = origin;
    set(Some(origin));
    let imported = import();
    set(None);
    imported
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "'{}'", path.display()),
            Self::Module(name) => write!(f, "module '{name}'"),
            Self::Client(_) => f.write_str("the first client"),
        }
    }
}

pub const NAMES: [&str; 3] = ["init_task", "exec_task", "exit_task"];

/// A path into the tuple of tasks, with `tasks[0]` replaced by the name of the task.
pub fn by_name(path: String) -> String {
    let named = NAMES.iter().enumerate().find_map(|(number, name)| {
        let (before, after) = path.split_once(&format!("tasks[{number}]"))?;
        (!before.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
            .then(|| [before, name, after].concat())
    });
    named.unwrap_or(path)
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
        _ => return Ok(Ok(())),
    };
    let text = format!("{name} is {kind}, which a server cannot run: use a plain function{advice}");
    Ok(Err(text))
}

// Flags of CPython's code objects: see inspect.CO_GENERATOR and the like.
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

impl Tasks {
    /// The tasks from the message of a client.
    pub fn from_message(message: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (init, exec, exit) = message.extract().map_err(|_| {
            PyTypeError::new_err("INIT must contain init_task, exec_task and exit_task")
        })?;
        let tasks = Self { init, exec, exit };
        tasks.check(message.py())?;
        Ok(tasks)
    }

    /// Runs a file or imports a module, and takes the tasks that it defines; or takes those that a client
    /// has sent.
    pub fn from_origin(py: Python<'_>, origin: Origin, policy: Policy) -> PyResult<Self> {
        let from = origin.to_string();
        let module = match origin {
            Origin::File(path) => load(py, &path)?,
            Origin::Module(name) => import(py, &name)?,
            Origin::Client(message) => {
                return Self::from_message(&decode(py, "tasks", *message, policy)?);
            }
        };
        let task = |name: &str| {
            let found = module.getattr(name).map(Bound::unbind);
            found.map_err(|_| PyValueError::new_err(format!("{from} defines no {name}")))
        };
        let tasks =
            Self { init: task("init_task")?, exec: task("exec_task")?, exit: task("exit_task")? };
        tasks.check(py)?;
        Ok(tasks)
    }

    fn check(&self, py: Python<'_>) -> PyResult<()> {
        for (name, task) in NAMES.iter().zip([&self.init, &self.exec, &self.exit]) {
            check(name, task.bind(py))?.map_err(PyTypeError::new_err)?;
        }
        Ok(())
    }

    /// Runs `init_task` and returns the state.
    pub fn init(&self, py: Python<'_>, reply: Option<&Reply>) -> PyResult<Py<PyDict>> {
        let task = self.init.bind(py);
        let state = match reply {
            Some(reply) if takes_argument(task)? => task.call1((socket(py, reply)?,))?,
            None if takes_argument(task)? => task.call1((py.None(),))?,
            _ => task.call0()?,
        };
        as_state(&state, "init_task must return the state as a dict")
    }

    /// Runs `exec_task`; a new state replaces the old one, and None keeps it.
    pub fn exec(
        &self,
        py: Python<'_>,
        reply: &Reply,
        state: &Py<PyDict>,
        arguments: Bound<'_, PyAny>,
    ) -> PyResult<Option<Py<PyDict>>> {
        let state = self.exec.bind(py).call1((socket(py, reply)?, state, arguments))?;
        if state.is_none() {
            return Ok(None);
        }
        as_state(&state, "exec_task must return the state as a dict, or None to keep it").map(Some)
    }

    /// Runs `exit_task`.
    pub fn exit(
        &self,
        py: Python<'_>,
        reply: &Reply,
        state: &Py<PyDict>,
        arguments: Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.exit.bind(py).call1((socket(py, reply)?, state, arguments)).map(drop)
    }
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
    // For a plain function, without the cost of importing inspect.
    let is_plain = task.is_instance_of::<PyFunction>() && !task.hasattr("__wrapped__")?;
    if is_plain {
        let wanted: usize = task.getattr("__code__")?.getattr("co_argcount")?.extract()?;
        let defaults = task.getattr("__defaults__")?;
        return Ok(wanted > if defaults.is_none() { 0 } else { defaults.len()? });
    }
    // A callable without a signature, such as some built-in types, is called without arguments.
    let inspect = task.py().import("inspect")?;
    let Ok(signature) = inspect.call_method1("signature", (task,)) else { return Ok(false) };
    Ok(signature.call_method0("bind").is_err())
}

/// Imports a file as a module.
fn load<'py>(py: Python<'py>, path: &Path) -> PyResult<Bound<'py, PyAny>> {
    let path = std::path::absolute(path)?;
    importing(Origin::File(path.clone()), || {
        py.import("bgpy._tasks_file")?.call_method1("imported", (path.as_os_str(),))
    })
}

/// Imports a module, also from the working directory, as `python -m` does.
fn import<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let search_path = py.import("sys")?.getattr("path")?;
    let here = py.import("os")?.call_method0("getcwd")?;
    if !search_path.contains(&here)? {
        search_path.call_method1("append", (here,))?;
    }
    importing(Origin::Module(name.to_owned()), || {
        py.import("importlib")?.call_method1("import_module", (name,))
    })
}

//! Processes that tasks fork. Each is an ordinary Python process, which exits when it returns from its task.

use bgpy::fork::generation;
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;

/// Distinguishes the server's process from children that its tasks fork.
#[derive(Debug, Clone, Copy)]
pub struct ServerProcess {
    process: u32,
}

impl ServerProcess {
    /// Marks this process as the server's.
    pub fn this() -> Self {
        Self { process: generation() }
    }

    /// Runs a task. If a forked child returns from it, or raises, the child exits here, as a child of
    /// `multiprocessing` does: it joins its threads and flushes its output, but runs nothing of its parent's:
    /// no exit hooks, no `exit_task` and no further call.
    pub fn run<T>(self, py: Python<'_>, act: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
        let outcome = act();
        if self.process != generation() {
            end(py, outcome.err());
        }
        outcome
    }
}

fn end(py: Python<'_>, raised: Option<PyErr>) -> ! {
    let code = raised.map_or(0, |error| exit_code_for(py, &error));
    let finish = || -> PyResult<()> {
        let sys = py.import("sys")?;
        let modules = sys.getattr("modules")?;
        // If it was never imported, there are no threads to join.
        if let Ok(threading) = modules.get_item("threading") {
            threading.call_method0("_shutdown")?;
        }
        for name in ["stdout", "stderr"] {
            let stream = sys.getattr(name)?;
            if !stream.is_none() {
                stream.call_method0("flush")?;
            }
        }
        Ok(())
    };
    if let Err(error) = finish() {
        error.write_unraisable(py, None);
    }
    bgpy::fork::exit_child(code)
}

/// The exit code for an exception. Unless it is SystemExit, it is printed with its traceback.
pub fn exit_code_for(py: Python<'_>, error: &PyErr) -> i32 {
    if !error.is_instance_of::<PySystemExit>(py) {
        // `PyErr::print` would exit the process for a SystemExit.
        error.display(py);
        return 1;
    }
    let Ok(code) = error.value(py).getattr("code") else { return 1 };
    if code.is_none() {
        return 0;
    }
    code.extract().unwrap_or_else(|_| {
        let print =
            || py.import("builtins")?.getattr("print")?.call((&code,), Some(&to_stderr(py)?));
        if let Err(error) = print() {
            error.write_unraisable(py, None);
        }
        1
    })
}

fn to_stderr(py: Python<'_>) -> PyResult<Bound<'_, pyo3::types::PyDict>> {
    let keywords = pyo3::types::PyDict::new(py);
    keywords.set_item("file", py.import("sys")?.getattr("stderr")?)?;
    Ok(keywords)
}

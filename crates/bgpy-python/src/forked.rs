//! Processes that tasks fork: ordinary Python processes, which end when they come back from their task.

use bgpy::fork::generation;
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;

/// Tells a server's process from a child that one of its tasks has forked.
#[derive(Debug, Clone, Copy)]
pub struct Home {
    process: u32,
}

impl Home {
    /// This process is the server's.
    pub fn here() -> Self {
        Self { process: generation() }
    }

    /// Runs a task. A child that comes back from it, by what way ever, ends as one of `multiprocessing`
    /// does: its other threads are waited for, what it has printed is written, and nothing of its parent
    /// runs in it, neither exit hooks nor `exit_task` nor another call.
    pub fn run<T>(self, py: Python<'_>, act: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
        let outcome = act();
        if self.process != generation() {
            end(py, outcome.err());
        }
        outcome
    }
}

fn end(py: Python<'_>, raised: Option<PyErr>) -> ! {
    let code = raised.map_or(0, |error| exit_code(py, &error));
    let finish = || -> PyResult<()> {
        let sys = py.import("sys")?;
        let modules = sys.getattr("modules")?;
        // What was never imported has no threads to wait for.
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

/// The exit code that an exception leads to; other than SystemExit, it is printed with its traceback.
pub fn exit_code(py: Python<'_>, error: &PyErr) -> i32 {
    if !error.is_instance_of::<PySystemExit>(py) {
        // Unlike `PyErr::print`, this ends no process.
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

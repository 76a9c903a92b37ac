//! SIGTERM and SIGINT end a server in good order.

use std::time::Duration;

use bgpy::server::{SignalPipe, Stopper};
use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};
use std::sync::atomic::{AtomicBool, Ordering};

/// How long a running task and `exit_task` may take after a signal before the process is killed.
const GRACE: Duration = Duration::from_secs(30);

/// What `signal` is made of. That one turns numbers into enumerations, for which a server would import
/// half a megabyte and wait four milliseconds.
const MODULE: &str = "_signal";

/// Python's signal handling while a server runs; what was before comes back when it is dropped.
pub struct Handlers {
    restore: Vec<(Py<PyAny>, Py<PyAny>)>,
    wakeup: Py<PyAny>,
}

impl Handlers {
    /// Installs the handlers; none off the main thread, where Python allows none.
    pub fn install(py: Python<'_>, stopper: Stopper, pipe: &SignalPipe) -> PyResult<Option<Self>> {
        let stopping = AtomicBool::new(false);
        let handler = PyCFunction::new_closure(
            py,
            Some(c"bgpy_stop"),
            None,
            move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
                // Whoever asks twice does not want to wait for the task.
                if stopping.swap(true, Ordering::SeqCst) {
                    return Err(PyKeyboardInterrupt::new_err(()));
                }
                arguments.py().detach(|| stopper.stop(GRACE));
                Ok(())
            },
        )?;
        let signal = py.import(MODULE)?;
        let mut restore = Vec::new();
        for name in ["SIGTERM", "SIGINT"] {
            let number = signal.getattr(name)?;
            let before = match signal.call_method1("signal", (&number, &handler)) {
                Err(error) if error.is_instance_of::<PyValueError>(py) => return Ok(None),
                before => before?,
            };
            restore.push((number.unbind(), before.unbind()));
        }
        let keywords = PyDict::new(py);
        keywords.set_item("warn_on_full_buffer", false)?;
        let descriptor = pipe.descriptor().unwrap_or(-1);
        let wakeup = signal.call_method("set_wakeup_fd", (descriptor,), Some(&keywords))?.unbind();
        Ok(Some(Self { restore, wakeup }))
    }

    /// Puts back what was before.
    pub fn remove(self, py: Python<'_>) -> PyResult<()> {
        let signal = py.import(MODULE)?;
        signal.call_method1("set_wakeup_fd", (self.wakeup,))?;
        for (number, before) in self.restore {
            signal.call_method1("signal", (number, before))?;
        }
        Ok(())
    }
}

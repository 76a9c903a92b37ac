//! SIGTERM and SIGINT end a server in good order, and none of the processes that its tasks fork.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bgpy::fork;
use bgpy::server::{SignalPipe, Stopper};
use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

/// How long a running task and `exit_task` may take after a signal before the process is killed.
pub const GRACE: Duration = Duration::from_secs(30);

/// What `signal` is made of. That one turns numbers into enumerations, for which a server would import
/// half a megabyte and wait four milliseconds.
const MODULE: &str = "_signal";

/// Python's signal handling while a server runs.
#[derive(Debug)]
pub struct Handlers {
    handler: Py<PyCFunction>,
    /// Signals, and what handled them before.
    restore: Vec<(Py<PyAny>, Py<PyAny>)>,
    /// The descriptor that Python writes to, and the one before.
    wakeup: (i32, i32),
}

/// What the servers of this process have installed, the last one at the end. It is only ever locked
/// with the GIL held, which whoever forks holds as well: a child finds it free.
static INSTALLED: Mutex<Vec<Handlers>> = Mutex::new(Vec::new());

/// Says that handlers are installed, until [`remove`](Self::remove) puts back what was before.
#[must_use]
pub struct Installed;

fn installed() -> MutexGuard<'static, Vec<Handlers>> {
    INSTALLED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handlers {
    /// Installs the handlers; none off the main thread, where Python allows none.
    pub fn install(
        py: Python<'_>,
        stopper: Stopper,
        pipe: &SignalPipe,
    ) -> PyResult<Option<Installed>> {
        watch_forks(py)?;
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
                // A system call that the first signal has interrupted is tried again next, and would not
                // be interrupted by a second one that has come by now.
                arguments.py().check_signals()
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
        let descriptor = pipe.descriptor().unwrap_or(-1);
        let wakeup = (descriptor, set_wakeup(&signal, descriptor)?);
        installed().push(Self { handler: handler.unbind(), restore, wakeup });
        Ok(Some(Installed))
    }

    /// Puts back what was before. In a child, what a task has put there meanwhile stays.
    fn restore(self, py: Python<'_>, in_child: bool) -> PyResult<()> {
        let signal = py.import(MODULE)?;
        let (own, before) = self.wakeup;
        let now = set_wakeup(&signal, before)?;
        if in_child && now != own {
            set_wakeup(&signal, now)?;
        }
        for (number, before) in self.restore {
            let now = signal.call_method1("getsignal", (&number,))?;
            if !in_child || now.is(&self.handler) {
                signal.call_method1("signal", (number, before))?;
            }
        }
        Ok(())
    }
}

impl Installed {
    /// Puts back what was before.
    pub fn remove(self, py: Python<'_>) -> PyResult<()> {
        let last = installed().pop();
        last.map_or(Ok(()), |handlers| handlers.restore(py, false))
    }
}

/// Has Python write signals to a descriptor, and returns the one that it wrote to before.
fn set_wakeup(signal: &Bound<'_, PyModule>, descriptor: i32) -> PyResult<i32> {
    let keywords = PyDict::new(signal.py());
    keywords.set_item("warn_on_full_buffer", false)?;
    signal.call_method("set_wakeup_fd", (descriptor,), Some(&keywords))?.extract()
}

/// Gives forked children the handlers from before the server. Registered once a process, for all of its
/// servers: nothing can be unregistered.
fn watch_forks(py: Python<'_>) -> PyResult<()> {
    static IS_WATCHED: AtomicBool = AtomicBool::new(false);
    // Where there is no fork, there is no such function.
    let Ok(register) = py.import("os")?.getattr("register_at_fork") else { return Ok(()) };
    if IS_WATCHED.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    let hook = |name, act: fn(Python<'_>) -> PyResult<()>| {
        PyCFunction::new_closure(
            py,
            Some(name),
            None,
            move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| act(arguments.py()),
        )
    };
    let keywords = PyDict::new(py);
    keywords.set_item("before", hook(c"bgpy_before_fork", before_fork)?)?;
    keywords.set_item("after_in_parent", hook(c"bgpy_after_fork", after_fork)?)?;
    keywords.set_item("after_in_child", hook(c"bgpy_after_fork_in_child", after_fork_in_child)?)?;
    register.call((), Some(&keywords)).map(drop)
}

/// Signals wait until the child has its own handlers: Python forgets those that come in between, and a
/// SIGTERM right after the start of a child would be lost.
fn before_fork(_: Python<'_>) -> PyResult<()> {
    if !installed().is_empty() {
        fork::block_signals();
    }
    Ok(())
}

fn after_fork(_: Python<'_>) -> PyResult<()> {
    fork::unblock_signals();
    Ok(())
}

fn after_fork_in_child(py: Python<'_>) -> PyResult<()> {
    let all = std::mem::take(&mut *installed());
    let restored = all.into_iter().rev().try_for_each(|handlers| handlers.restore(py, true));
    fork::unblock_signals();
    restored
}

//! SIGTERM and SIGINT stop a server in good order. In processes that its tasks fork they act as before the
//! server.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bgpy::fork::{self, SignalsBefore};
use bgpy::server::{SignalPipe, Stopper};
use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

/// Time that a running task and `exit_task` have after a signal before the process is killed.
pub const GRACE: Duration = Duration::from_secs(30);

/// The C module behind `signal`. Importing `signal` itself, and with it `enum`, would cost a server four
/// milliseconds and half a megabyte.
const MODULE: &str = "_signal";

/// Python's signal handling while a server runs.
#[derive(Debug)]
pub struct Handlers {
    handler: Py<PyCFunction>,
    /// Signals, and their handlers before.
    restore: Vec<(Py<PyAny>, Py<PyAny>)>,
    /// The wake-up file descriptor that was set, and the one before.
    wakeup: (i32, i32),
}

/// The handlers that the servers of this process have installed, the latest last. It is locked only with the
/// GIL held, and only for a moment. `os.fork` holds the GIL too, so a child never inherits it locked.
static INSTALLED: Mutex<Vec<Handlers>> = Mutex::new(Vec::new());

/// Proof that handlers are installed, until [`remove`](Self::remove) restores the previous ones.
#[must_use]
pub struct Installed;

fn installed() -> MutexGuard<'static, Vec<Handlers>> {
    INSTALLED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handlers {
    /// Installs the handlers; does nothing and returns none off the main thread, where Python does not allow it.
    pub fn install(
        py: Python<'_>,
        stopper: Stopper,
        pipe: &SignalPipe,
    ) -> PyResult<Option<Installed>> {
        watch_forks(py)?;
        let stopping = AtomicBool::new(false);
        let own_process = std::process::id();
        let handler = PyCFunction::new_closure(
            py,
            Some(c"bgpy_stop"),
            None,
            move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
                if std::process::id() != own_process {
                    return act_as_before(arguments);
                }
                // The second signal interrupts the task.
                if stopping.swap(true, Ordering::SeqCst) {
                    return Err(PyKeyboardInterrupt::new_err(()));
                }
                arguments.py().detach(|| stopper.stop(GRACE));
                // The system call that the first signal interrupted is retried after this handler. A second
                // signal that has arrived by now would not interrupt it again, so it is handled here.
                arguments.py().check_signals()
            },
        )?;
        let signal = py.import(MODULE)?;
        let mut restore = Vec::new();
        let before = SignalsBefore::look();
        for name in ["SIGTERM", "SIGINT"] {
            let number = signal.getattr(name)?;
            let replaced = match signal.call_method1("signal", (&number, &handler)) {
                Err(error) if error.is_instance_of::<PyValueError>(py) => return Ok(None),
                replaced => replaced?,
            };
            restore.push((number.unbind(), replaced.unbind()));
        }
        let descriptor = pipe.descriptor().unwrap_or(-1);
        let wakeup = (descriptor, set_wakeup(&signal, descriptor)?);
        before.guard(descriptor, restore_soon);
        installed().push(Self { handler: handler.unbind(), restore, wakeup });
        Ok(Some(Installed))
    }

    /// Restores what was there before. In a child, handlers that a task has installed meanwhile stay.
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
    /// Restores the previous handlers.
    pub fn remove(self, py: Python<'_>) -> PyResult<()> {
        let Some(last) = installed().pop() else { return Ok(()) };
        let (_, wakeup) = last.wakeup;
        let restored = last.restore(py, false);
        fork::release_signals(wakeup);
        restored
    }
}

/// Sets the file descriptor that Python writes signal numbers to, and returns the previous one.
fn set_wakeup(signal: &Bound<'_, PyModule>, descriptor: i32) -> PyResult<i32> {
    let keywords = PyDict::new(signal.py());
    keywords.set_item("warn_on_full_buffer", false)?;
    signal.call_method("set_wakeup_fd", (descriptor,), Some(&keywords))?.extract()
}

/// Registers the fork hooks that give children the handlers from before the server. Registered once per
/// process, for all of its servers, because Python cannot unregister them.
fn watch_forks(py: Python<'_>) -> PyResult<()> {
    static IS_WATCHED: AtomicBool = AtomicBool::new(false);
    // Windows has no fork.
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

/// Blocks signals until the child has its own handlers: Python clears pending signals in a child, so a SIGTERM
/// that arrives right after the fork would be lost.
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
    let restored = restore_all(py);
    fork::unblock_signals();
    restored
}

/// Gives a child the handlers from before the servers of its parent.
fn restore_all(py: Python<'_>) -> PyResult<()> {
    let all = std::mem::take(&mut *installed());
    all.into_iter().rev().try_for_each(|handlers| handlers.restore(py, true))
}

/// In a child that was forked in C, without Python's hooks: restores the handlers as soon as it runs Python
/// on its main thread, if it ever does.
fn restore_soon() {
    // SAFETY: it may be called on any thread, without the GIL.
    unsafe { ffi::Py_AddPendingCall(Some(restore_now), std::ptr::null_mut()) };
}

extern "C" fn restore_now(_: *mut c_void) -> c_int {
    // An exception here would be raised by whatever the child is doing.
    Python::attach(|py| restore_all(py).unwrap_or_else(|error| error.write_unraisable(py, None)));
    0
}

/// Handles a signal in a child that was forked by the system call itself, as it would be without a server.
fn act_as_before(arguments: &Bound<'_, PyTuple>) -> PyResult<()> {
    let py = arguments.py();
    restore_all(py)?;
    py.import(MODULE)?.call_method1("raise_signal", (arguments.get_item(0)?,))?;
    // The system call that the signal interrupted is retried after this handler.
    py.check_signals()
}

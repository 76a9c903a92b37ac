//! SIGTERM and SIGINT, and Ctrl-Break on Windows, stop a server in good order. In processes that its tasks fork they act as before the
//! server.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bgpy::fork::{self, SignalsBefore};
use bgpy::server::{Cancellation, SignalPipe, Stopper};
use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

use super::current::cancelled;
use crate::fork_hooks::ForkHooks;

/// Time that a running task and `exit_task` have after a signal before the process is killed.
pub const GRACE: Duration = Duration::from_secs(30);

/// The C module behind `signal`. Importing `signal` itself, and with it `enum`, would cost a server four
/// milliseconds and half a megabyte.
const MODULE: &str = "_signal";

/// The signal by which a call is cancelled; see [`ThreadInterrupter`](bgpy::server::ThreadInterrupter).
const CANCEL_SIGNAL: &str = "SIGURG";

/// How often a cancel is put off for asyncio: for a tenth of a second.
const PATIENCE: u32 = 20;

/// Python's signal handling while a server runs.
#[derive(Debug)]
pub struct Handlers {
    /// Of the signals that end the server, and of the one that cancels a call.
    handlers: [Py<PyCFunction>; 2],
    /// Signals, and their handlers before.
    restore: Vec<(Py<PyAny>, Py<PyAny>)>,
    /// The wake-up file descriptor that was set, and the one before.
    wakeup: (i32, i32),
}

/// The handlers that the servers of this process have installed, the latest last. It is locked only with the
/// GIL held, and only for a moment. `os.fork` holds the GIL too, so a child never inherits it locked.
static INSTALLED: Mutex<Vec<Handlers>> = Mutex::new(Vec::new());

/// Children have the handlers from before the server.
static HOOKS: ForkHooks = ForkHooks::new(before_fork, after_fork, after_fork_in_child);

/// Proof that handlers are installed, until [`remove`](Self::remove) restores the previous ones.
#[must_use]
pub struct Installed {
    /// Whether calls can be cancelled: Windows has no signal for it.
    pub can_cancel: bool,
}

fn installed() -> MutexGuard<'static, Vec<Handlers>> {
    INSTALLED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handlers {
    /// Installs the handlers; does nothing and returns none off the main thread, where Python does not allow it.
    pub fn install(
        py: Python<'_>,
        stopper: Stopper,
        pipe: &SignalPipe,
        cancellation: Arc<Cancellation>,
    ) -> PyResult<Option<Installed>> {
        HOOKS.register(py)?;
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
        let patience = AtomicU32::new(0);
        let canceller = PyCFunction::new_closure(
            py,
            Some(c"bgpy_cancel"),
            None,
            move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
                if !cancellation.is_pending() {
                    return Ok(());
                }
                // The signal comes again.
                let puts_off = is_in_callback_of_asyncio(arguments)?;
                if puts_off && patience.fetch_add(1, Ordering::Relaxed) < PATIENCE {
                    return Ok(());
                }
                patience.store(0, Ordering::Relaxed);
                if cancellation.take() { Err(cancelled(arguments.py())) } else { Ok(()) }
            },
        )?;
        let signal = py.import(MODULE)?;
        let mut restore = Vec::new();
        let before = SignalsBefore::look();
        for (name, handler) in [
            ("SIGTERM", &handler),
            ("SIGINT", &handler),
            ("SIGBREAK", &handler),
            (CANCEL_SIGNAL, &canceller),
        ] {
            // Only Windows has SIGBREAK, and it has no SIGURG.
            let Some(number) = signal.getattr_opt(name)? else { continue };
            let replaced = match signal.call_method1("signal", (&number, handler)) {
                Err(error) if error.is_instance_of::<PyValueError>(py) => return Ok(None),
                replaced => replaced?,
            };
            restore.push((number.unbind(), replaced.unbind()));
        }
        let can_cancel = signal.hasattr(CANCEL_SIGNAL)?;
        let descriptor = pipe.descriptor().unwrap_or(-1);
        let wakeup = (descriptor, set_wakeup(&signal, descriptor)?);
        before.guard(descriptor, restore_soon);
        let handlers = [handler.unbind(), canceller.unbind()];
        installed().push(Self { handlers, restore, wakeup });
        Ok(Some(Installed { can_cancel }))
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
            let is_own = self.handlers.iter().any(|handler| now.is(handler));
            if !in_child || is_own {
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

/// Whether a signal has interrupted a callback of an asyncio loop. What is raised there ends in the loop's log, or in
/// a task that nobody may await, while the loop goes on. Between callbacks it ends the loop, as it should.
fn is_in_callback_of_asyncio(arguments: &Bound<'_, PyTuple>) -> PyResult<bool> {
    let mut frame = arguments.get_item(1)?;
    while !frame.is_none() {
        let code = frame.getattr("f_code")?;
        if code.getattr("co_name")?.eq("_run")? {
            let file: String = code.getattr("co_filename")?.extract()?;
            if file.replace('\\', "/").ends_with("asyncio/events.py") {
                return Ok(true);
            }
        }
        frame = frame.getattr("f_back")?;
    }
    Ok(false)
}

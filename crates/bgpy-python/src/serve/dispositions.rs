//! The signal dispositions and the signal mask that a server's process inherits.

use pyo3::prelude::*;

/// The C module behind `signal`: see [`signals`](super::signals).
const MODULE: &str = "_signal";

/// Signals that a terminal or a shell sends to the programs that it started. If one of them is ignored in a
/// foreground server, as with nohup, its user wanted that.
pub const TERMINAL_SIGNALS: [&str; 6] =
    ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGTTOU"];

/// Signals that Python itself ignores, so that the write fails instead.
const IGNORED_BY_PYTHON: [&str; 2] = ["SIGPIPE", "SIGXFSZ"];

/// Restores the default disposition of signals that this process inherited as ignored, but for `kept`, and
/// unblocks all signals: with SIGCHLD ignored, for example, a task gets no exit codes of its children.
pub fn take_default_signals(py: Python<'_>, kept: &[&str]) -> PyResult<()> {
    let signal = py.import(MODULE)?;
    let number = |name: &str| signal.getattr(name).and_then(|number| number.extract::<i32>()).ok();
    let kept: Vec<i32> =
        kept.iter().chain(&IGNORED_BY_PYTHON).filter_map(|name| number(name)).collect();
    let ignored = signal.getattr("SIG_IGN")?;
    // Windows has no such function, and inherits nothing.
    let Ok(valid) = signal.getattr("valid_signals") else { return Ok(()) };
    for which in valid.call0()?.try_iter()? {
        let which: i32 = which?.extract()?;
        let now = signal.call_method1("getsignal", (which,))?;
        if kept.contains(&which) || !now.eq(&ignored)? {
            continue;
        }
        let ordinary =
            if number("SIGINT") == Some(which) { "default_int_handler" } else { "SIG_DFL" };
        signal.call_method1("signal", (which, signal.getattr(ordinary)?))?;
    }
    if let Ok(mask) = signal.getattr("pthread_sigmask") {
        mask.call1((signal.getattr("SIG_SETMASK")?, pyo3::types::PyList::empty(py)))?;
    }
    Ok(())
}

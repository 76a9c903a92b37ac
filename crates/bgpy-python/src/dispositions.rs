//! What a server's process does with signals whose handling it has inherited.

use pyo3::prelude::*;

/// What `signal` is made of: see [`signals`](crate::signals).
const MODULE: &str = "_signal";

/// Those by which a terminal or a shell acts on what it has started. Whoever started a server in the
/// foreground with one of them ignored, by nohup for example, wanted that.
pub const TERMINAL_SIGNALS: [&str; 6] =
    ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGTTOU"];

/// What Python itself ignores, so that a write fails instead.
const IGNORED_BY_PYTHON: [&str; 2] = ["SIGPIPE", "SIGXFSZ"];

/// Has signals that whoever started this process ignores, and those that it blocks, do what they do in
/// other programs: with SIGCHLD ignored no exit code is known in a task. `kept` stay as they are.
pub fn take_default_signals(py: Python<'_>, kept: &[&str]) -> PyResult<()> {
    let signal = py.import(MODULE)?;
    let number = |name: &str| signal.getattr(name).and_then(|number| number.extract::<i32>()).ok();
    let kept: Vec<i32> =
        kept.iter().chain(&IGNORED_BY_PYTHON).filter_map(|name| number(name)).collect();
    let ignored = signal.getattr("SIG_IGN")?;
    // Where there are no signals as on Unix, there is no such function, and nothing is inherited.
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

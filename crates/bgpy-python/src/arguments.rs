//! What users pass, checked, with errors that name the thing.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use bgpy::address::Address;
use bgpy::journal::{Journal, Level};
use bgpy::{Restart, Target, Wait, limits, supervisor};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::errors::config_error;

/// Host and port as Python gives them.
pub fn address(py: Python<'_>, host: &str, port: i64, free_port: bool) -> PyResult<Address> {
    if host.is_empty() || host.contains('\0') {
        return Err(config_error(
            py,
            format!("{host:?} is not a host: take a name or an IP address"),
        ));
    }
    let lowest = u16::from(!free_port);
    match u16::try_from(port) {
        Ok(port) if port >= lowest => Ok(Address::new(host, port)),
        _ => Err(config_error(py, format!("port {port} is not between {lowest} and 65535"))),
    }
}

/// A name, an address or the path of a socket.
pub fn target(py: Python<'_>, text: &str) -> PyResult<Target> {
    text.parse().map_err(|error: String| config_error(py, error))
}

/// A log level by name.
pub fn level(py: Python<'_>, name: &str) -> PyResult<Level> {
    name.parse().map_err(|error: String| config_error(py, error))
}

/// A log that is written only when it has a file.
pub fn journal(py: Python<'_>, level: Level, file: Option<&PathBuf>) -> PyResult<Journal> {
    let Some(path) = file else { return Ok(Journal::silent()) };
    Journal::file(level, path).map_err(|error| {
        config_error(py, format!("cannot write the log file '{}': {error}", path.display()))
    })
}

/// Names the argument where a value has the wrong type: the text of PyO3's own error leaves that out.
fn typed<T>(value: &Bound<'_, PyAny>, name: &str, what: &str, result: PyResult<T>) -> PyResult<T> {
    result.map_err(|error| {
        if !error.is_instance_of::<PyTypeError>(value.py()) {
            return error;
        }
        let kind = value.get_type();
        let kind = kind.name().map_or_else(|_| "this".into(), |name| name.to_string());
        PyTypeError::new_err(format!("{name} must be {what}, not {kind}"))
    })
}

/// A `timeout`, as callers pass it.
pub fn timeout(value: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    typed(value, "timeout", "a number of seconds", value.extract())
}

/// A `port`, as callers pass it to a client.
pub fn port(value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    typed(value, "port", "a whole number", value.extract())
}

/// A `port`, as callers pass it to a server.
pub fn server_port(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    typed(value, "port", "a whole number", value.extract())
}

/// A time limit in seconds; none is none.
pub fn limit(py: Python<'_>, seconds: Option<f64>) -> PyResult<Option<Duration>> {
    let Some(seconds) = seconds else { return Ok(None) };
    Duration::try_from_secs_f64(seconds).map(Some).map_err(|_| {
        config_error(
            py,
            format!(
                "timeout={seconds} is not a valid time: give a number of seconds from 0, or None"
            ),
        )
    })
}

/// The longest message that a side takes, in bytes; none is the protocol's own limit.
pub fn message_bytes_max(py: Python<'_>, bytes: Option<u64>) -> PyResult<u64> {
    let bytes = bytes.unwrap_or(limits::MESSAGE_BYTES_MAX);
    if (limits::MESSAGE_BYTES_LEAST..=limits::MESSAGE_BYTES_MAX).contains(&bytes) {
        return Ok(bytes);
    }
    let (least, most) = (limits::MESSAGE_BYTES_LEAST, limits::MESSAGE_BYTES_MAX);
    let text = format!("max_message_bytes={bytes} is not between {least} and {most}");
    Err(config_error(py, text))
}

/// When a server is started again.
pub fn restart_policy(py: Python<'_>, text: &str) -> PyResult<Restart> {
    let policy = text.parse().map_err(|error: String| config_error(py, error))?;
    if policy != Restart::Never && !supervisor::IS_SUPPORTED {
        let text = format!("restart={text:?}: servers cannot be started again on this system");
        return Err(config_error(py, text));
    }
    Ok(policy)
}

/// Runs something that waits without the GIL; Ctrl-C and other signal handlers end the wait, and
/// what they raised is raised.
pub fn waiting<T: Send>(
    py: Python<'_>,
    limit: Option<Duration>,
    act: impl FnOnce(&Wait<'_>) -> T + Send,
) -> PyResult<T> {
    let (result, raised) = py.detach(|| {
        let raised = RefCell::new(None);
        let interrupted = || {
            // An interpreter that is being shut down has no handlers to run any more.
            let Some(checked) = Python::try_attach(|py| py.check_signals()) else { return true };
            let stop = checked.is_err();
            *raised.borrow_mut() = checked.err();
            stop
        };
        let result = act(&Wait::new(limit, &interrupted));
        (result, raised.into_inner())
    });
    raised.map_or(Ok(result), Err)
}

//! What users pass, checked, with errors that name the thing.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use bgpy::address::Address;
use bgpy::log::{Journal, Level};
use bgpy::{Restart, Target, Wait, limits, supervisor};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
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

/// An argument of this name and type, as callers pass it.
macro_rules! arguments {
    ($($name:ident: $type:ty, $what:literal;)*) => {
        $(pub fn $name(value: &Bound<'_, PyAny>) -> PyResult<$type> {
            typed(value, stringify!($name), $what, value.extract())
        })*
    };
}

/// A text of this name, as callers pass it.
macro_rules! texts {
    ($($name:ident)*) => {
        $(pub fn $name<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
            typed(value, stringify!($name), "a str", value.extract())
        })*
    };
}

texts! { host log_level restart }

arguments! {
    timeout: Option<f64>, "a number of seconds";
    idle_timeout: Option<f64>, "a number of seconds";
    port: Option<i64>, "a whole number";
    token: Option<String>, "a str or None";
    log_file: Option<PathBuf>, "a path or None";
    init_file: Option<PathBuf>, "a path or None";
    init_module: Option<String>, "a str or None";
    name: Option<String>, "a str or None";
    auth: bool, "True or False";
    allow_weak_token: bool, "True or False";
    allow_pickle: bool, "True or False";
    exist_ok: bool, "True or False";
    env: Option<HashMap<OsString, OsString>>, "a dict of str to str, or None";
    cwd: Option<PathBuf>, "a path or None";
    python: Option<PathBuf>, "a path or None";
}

/// A `port`, as callers pass it to a server.
pub fn server_port(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    typed(value, "port", "a whole number", value.extract())
}

/// How long a server may be unused, in seconds above 0; none is for ever.
pub fn unused(py: Python<'_>, seconds: Option<f64>) -> PyResult<Option<f64>> {
    let Some(seconds) = seconds else { return Ok(None) };
    match Duration::try_from_secs_f64(seconds) {
        Ok(limit) if !limit.is_zero() => Ok(Some(seconds)),
        _ => Err(config_error(
            py,
            format!(
                "idle_timeout={} is not a valid time: give a number of seconds from 1e-9 to 1.8e19, or \
                 None",
                shortest(seconds)
            ),
        )),
    }
}

/// A number with as few characters as tell it from others.
fn shortest(number: f64) -> String {
    let [plain, scientific] = [number.to_string(), format!("{number:e}")];
    if scientific.len() < plain.len() { scientific } else { plain }
}

/// A time limit in seconds; none is none.
pub fn limit(py: Python<'_>, seconds: Option<f64>) -> PyResult<Option<Duration>> {
    let Some(seconds) = seconds else { return Ok(None) };
    Duration::try_from_secs_f64(seconds).map(Some).map_err(|_| {
        config_error(
            py,
            format!(
                "timeout={} is not a valid time: give a number of seconds from 0 to 1.8e19, or None",
                shortest(seconds)
            ),
        )
    })
}

/// The longest message that a side takes, in bytes; none is the protocol's own limit.
pub fn max_message_bytes(value: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
    let (least, most) = (limits::MESSAGE_BYTES_LEAST, limits::MESSAGE_BYTES_MAX);
    let refuse = || {
        let text = format!("max_message_bytes={value} is not between {least} and {most}");
        config_error(value.py(), text)
    };
    match value.extract::<Option<u64>>() {
        Ok(Some(bytes)) if !(least..=most).contains(&bytes) => Err(refuse()),
        // A number all the same, but one below 0 or far too large.
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => Err(refuse()),
        found => typed(value, "max_message_bytes", "a whole number or None", found),
    }
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

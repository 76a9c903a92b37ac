//! Arguments of the Python functions, checked; an error names the argument.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::once::Once;
use bgpy::notices::Notices;
use bgpy::{Restart, Target, Wait, Withdrawal, limits};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;

use crate::exceptions::config_error;
use crate::serve::serving::check_joins;

/// A name, an address or the path of a socket.
pub fn target(py: Python<'_>, text: &str) -> PyResult<Target> {
    text.parse().map_err(|error: String| config_error(py, error))
}

/// Turns PyO3's error for a wrong type, which does not name the argument, into one that does.
fn typed<T>(value: &Bound<'_, PyAny>, name: &str, what: &str, result: PyResult<T>) -> PyResult<T> {
    result.map_err(|error| {
        if error.is_instance_of::<PyOverflowError>(value.py()) {
            return config_error(value.py(), format!("{name} is out of range: it must be {what}"));
        }
        if !error.is_instance_of::<PyTypeError>(value.py()) {
            return error;
        }
        let kind = value.get_type();
        let kind = kind.name().map_or_else(|_| "this".into(), |name| name.to_string());
        PyTypeError::new_err(format!("{name} must be {what}, not {kind}"))
    })
}

/// Functions that extract the argument of their name, for `from_py_with`.
macro_rules! arguments {
    ($($name:ident: $type:ty, $what:literal;)*) => {
        $(pub fn $name(value: &Bound<'_, PyAny>) -> PyResult<$type> {
            typed(value, stringify!($name), $what, value.extract())
        })*
    };
}

/// The same for text, which is borrowed from the Python object.
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
    keep: Option<f64>, "a number of seconds";
    window: Option<u64>, "a number of bytes";
    idle_timeout: Option<f64>, "a number of seconds";
    threads: Option<i64>, "a whole number or None";
    port: Option<i64>, "a whole number";
    token: Option<String>, "a str or None";
    log_file: Option<PathBuf>, "a path or None";
    init_file: Option<PathBuf>, "a path or None";
    init_module: Option<String>, "a str or None";
    init_object: Option<String>, "a str or None";
    name: Option<String>, "a str or None";
    auth: bool, "True or False";
    echo: bool, "True or False";
    follow: bool, "True or False";
    allow_weak_token: bool, "True or False";
    allow_pickle: bool, "True or False";
    exist_ok: bool, "True or False";
    replace: bool, "True or False";
    env: Option<HashMap<OsString, OsString>>, "a dict of str to str, or None";
    cwd: Option<PathBuf>, "a path or None";
    python: Option<PathBuf>, "a path or None";
}

/// The argument `key` of a job.
pub fn key(value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let found = typed(value, "key", "a str or None", value.extract());
    found.map_err(|error| match error.is_instance_of::<PyUnicodeEncodeError>(value.py()) {
        true => config_error(value.py(), "key contains what is no valid Unicode text"),
        false => error,
    })
}

/// The argument `port` of a server, which unlike that of a client is not optional.
pub fn server_port(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    typed(value, "port", "a whole number", value.extract())
}

/// The argument `idle_timeout`: a number of seconds above 0, or None for no limit.
pub fn unused(py: Python<'_>, seconds: Option<f64>) -> PyResult<Option<f64>> {
    let Some(seconds) = seconds else { return Ok(None) };
    match Duration::try_from_secs_f64(seconds) {
        Ok(limit) if !limit.is_zero() => Ok(Some(seconds)),
        _ => Err(config_error(
            py,
            format!(
                "idle_timeout={} is not a valid time: pass a number of seconds from 1e-9 to 1.8e19, or \
                 None",
                shortest(seconds)
            ),
        )),
    }
}

/// Most threads for methods that only read.
const THREADS_MAX: u32 = 1024;

/// The argument `threads`: how many methods that only read run beside each other.
pub fn number_of_threads(py: Python<'_>, threads: i64) -> PyResult<u32> {
    let number = u32::try_from(threads).ok().filter(|threads| (1..=THREADS_MAX).contains(threads));
    number.ok_or_else(|| {
        config_error(
            py,
            format!("threads={threads} is out of range: it must be from 1 to {THREADS_MAX}"),
        )
    })
}

/// The shortest decimal text of a number.
pub(super) fn shortest(number: f64) -> String {
    let [plain, scientific] = [number.to_string(), format!("{number:e}")];
    if scientific.len() < plain.len() { scientific } else { plain }
}

/// The argument `timeout`, in seconds; None for no limit.
pub fn limit(py: Python<'_>, seconds: Option<f64>) -> PyResult<Option<Duration>> {
    let left = until_deadline(py)?;
    let Some(seconds) = seconds else { return Ok(left) };
    let limit: PyResult<_> = Duration::try_from_secs_f64(seconds).map(Some).map_err(|_| {
        config_error(
            py,
            format!(
                "timeout={} is not a valid time: pass a number of seconds from 0 to 1.8e19, or None",
                shortest(seconds)
            ),
        )
    });
    Ok(limit?.map(|limit| left.map_or(limit, |left| left.min(limit))))
}

/// `bgpy._deadline.time_left`, once a deadline was set: it costs calls nothing before.
static TIME_LEFT: Once<Py<PyAny>> = Once::new();

/// Have all calls ask for the time that is left until the deadline.
#[pyfunction]
pub fn use_deadlines(py: Python<'_>, time_left: Py<PyAny>) {
    TIME_LEFT.get_or_init(py, || time_left);
}

/// The time until the deadline in milliseconds, for the head of a call.
pub fn deadline_head(py: Python<'_>) -> PyResult<Option<u64>> {
    let left = until_deadline(py)?;
    Ok(left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)))
}

/// The time until the deadline of this thread or task, if it has one.
fn until_deadline(py: Python<'_>) -> PyResult<Option<Duration>> {
    let Some(time_left) = TIME_LEFT.get(py) else { return Ok(None) };
    let left: Option<f64> = time_left.call0(py)?.extract(py)?;
    Ok(left.and_then(|left| Duration::try_from_secs_f64(left).ok()))
}

/// The argument `lines`: a number of lines of a log.
pub fn lines(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    match value.extract::<u64>() {
        // An int, but negative or too large for a u64.
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => {
            let text = format!("lines={value} is not a number of lines");
            Err(config_error(value.py(), text))
        }
        found => typed(value, "lines", "a whole number", found),
    }
}

/// The argument `max_message_bytes`; None for the limit of the protocol.
pub fn max_message_bytes(value: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
    let (least, most) = (limits::MESSAGE_BYTES_LEAST, limits::MESSAGE_BYTES_MAX);
    let refuse = || {
        let text = format!("max_message_bytes={value} is not between {least} and {most}");
        config_error(value.py(), text)
    };
    match value.extract::<Option<u64>>() {
        Ok(Some(bytes)) if !(least..=most).contains(&bytes) => Err(refuse()),
        // An int, but negative or too large for a u64.
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => Err(refuse()),
        found => typed(value, "max_message_bytes", "a whole number or None", found),
    }
}

/// The argument `restart`.
pub fn restart_policy(py: Python<'_>, text: &str) -> PyResult<Restart> {
    text.parse().map_err(|error: String| config_error(py, format!("restart: {error}")))
}

/// Runs something that waits, without the GIL. If a Python signal handler raises, as for Ctrl-C, the wait
/// ends and that exception is raised.
pub fn waiting<T: Send>(
    py: Python<'_>,
    limit: Option<Duration>,
    act: impl FnOnce(&Wait<'_>) -> T + Send,
) -> PyResult<T> {
    waiting_with(py, limit, None, act)
}

/// Like [`waiting`], and tells the user on standard error what is waited for, if it takes long.
pub fn waiting_told<T: Send>(
    py: Python<'_>,
    limit: Option<Duration>,
    act: impl FnOnce(&Wait<'_>) -> T + Send,
) -> PyResult<T> {
    waiting(py, limit, |wait| {
        let tell = |text: &str| {
            // Whatever is wrong with the stream, the wait goes on.
            let tell = |py: Python<'_>| -> PyResult<()> {
                py.import("bgpy._warnings")?.call_method1("tell", (text,)).map(drop)
            };
            drop(Python::try_attach(tell));
        };
        act(&wait.with_notices(&Notices::new(&tell)))
    })
}

/// How often a function is called that [`waiting_with`] is given. It is asked for after each part of a long
/// message, too.
const MEANWHILE: Duration = Duration::from_millis(100);

/// Like [`waiting`], and also calls a function now and then, which may raise as well.
pub fn waiting_with<T: Send>(
    py: Python<'_>,
    limit: Option<Duration>,
    meanwhile: Option<&Py<PyAny>>,
    act: impl FnOnce(&Wait<'_>) -> T + Send,
) -> PyResult<T> {
    let deadline = until_deadline(py)?.and_then(|left| Instant::now().checked_add(left));
    let (result, raised) = py.detach(|| {
        let raised = RefCell::new(None);
        let called = Cell::new(Instant::now());
        let withdrawal = Withdrawal::default();
        let interrupted = || {
            let check = |py: Python<'_>| {
                py.check_signals()?;
                check_joins(py).inspect_err(|_| withdrawal.ask())?;
                let due = meanwhile.filter(|_| called.get().elapsed() >= MEANWHILE);
                let outcome = due.map_or(Ok(()), |meanwhile| meanwhile.call0(py).map(drop));
                if due.is_some() {
                    called.set(Instant::now());
                }
                outcome
            };
            // While the interpreter shuts down, this thread cannot attach any more: end the wait.
            let Some(checked) = Python::try_attach(check) else { return true };
            let stop = checked.is_err();
            *raised.borrow_mut() = checked.err();
            stop
        };
        let wait = Wait::new(limit, &interrupted).with_deadline(deadline);
        let result = act(&wait.with_withdrawal(&withdrawal));
        (result, raised.into_inner().filter(|_| !withdrawal.has_failed()))
    });
    raised.map_or(Ok(result), Err)
}

//! Maps the errors of the core to the exceptions of `bgpy.errors`. No other module does.

use std::fmt::Display;
use std::time::Duration;

use bgpy::duration::shown;
use bgpy::error::FailureKind;
use bgpy::{
    CallError, ConnectError, Ended, Exceptions, Failure, FailureCode, ServeError, StartError,
};
use bgpy_proto::ProtocolError;
use pyo3::exceptions::{PyException, PyMemoryError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::codec::causes::{precede, rebuild};
use crate::codec::decode::Policy;
use crate::codec::text::shortened;
use crate::exceptions::{Class, error, serialization_error};

/// A server has not ended in time; `hindrance` says what its process waits for, if that is known.
pub fn late(
    py: Python<'_>,
    server: &impl Display,
    timeout: Option<f64>,
    hindrance: Option<String>,
) -> PyErr {
    let limit = timeout.and_then(|limit| Duration::try_from_secs_f64(limit).ok());
    let limit = shown(limit.unwrap_or_default());
    let mut text = format!("{server} has not ended within {limit}");
    if let Some(hindrance) = hindrance {
        text = format!("{text}: {hindrance}");
    }
    error(py, Class::CallTimeout, text)
}

/// Adds a note with the process to an error of a forked process or a multiprocessing worker: such errors are
/// often read in the parent.
fn in_its_process(py: Python<'_>, error: PyErr) -> PyErr {
    let told = || -> PyResult<()> {
        let modules = py.import("sys")?.getattr("modules")?;
        let worker = modules.call_method1("get", ("multiprocessing.process",))?;
        let mut name = None;
        if !worker.is_none() && !worker.call_method0("parent_process")?.is_none() {
            let current = worker.call_method0("current_process")?;
            name = Some(current.getattr("name")?.extract::<String>()?);
        }
        let pid = std::process::id();
        let process = match name {
            Some(name) => format!("in process {name} (pid {pid})"),
            None if bgpy::fork::is_forked() => format!("in forked process {pid}"),
            None => return Ok(()),
        };
        error.value(py).call_method1("add_note", (process,)).map(drop)
    };
    // If the note fails, the error itself must still be raised.
    drop(told());
    error
}

pub fn connect_error(py: Python<'_>, source: &ConnectError) -> PyErr {
    let name = match source {
        ConnectError::NotRunning { .. } | ConnectError::NoSuchName { .. } => Class::NotRunning,
        ConnectError::Stopping { .. } => Class::ServerStopping,
        ConnectError::Timeout { .. } | ConnectError::Restarting { .. } => Class::CallTimeout,
        ConnectError::Cut { .. } => Class::ConnectionLost,
        ConnectError::Auth { .. } | ConnectError::NoToken { .. } => Class::AuthError,
        ConnectError::Unprotected { .. } => Class::ConfigError,
        ConnectError::Protocol { .. } | ConnectError::Silent { .. } => Class::ProtocolMismatch,
        ConnectError::Interrupted => return interrupted(py),
        _ => Class::ConnectError,
    };
    let advice = match source {
        ConnectError::Auth { token: false, .. } => {
            ": pass token=... or set BGPY_TOKEN to the one that the server was started with"
        }
        ConnectError::NoToken { replaced: true, .. } => ": pass its token=... to a new client",
        ConnectError::NoToken { .. } => {
            ": pass token=... or set BGPY_TOKEN to the one that your server was started with, or pass \
             auth=False if it was started that way"
        }
        ConnectError::Unprotected { .. } => {
            ": auth=False is for servers on this machine; pass the token that it was started with"
        }
        _ => "",
    };
    in_its_process(py, error(py, name, format!("{source}{advice}")))
}

pub fn call_error(py: Python<'_>, source: CallError, policy: Policy) -> PyErr {
    let source = py.detach(|| source.with_ending());
    let text = source.to_string();
    let raised = match source {
        CallError::Connect(source) => return connect_error(py, &source),
        CallError::Interrupted => return interrupted(py),
        CallError::Timeout { .. } | CallError::JobTimeout { .. } => {
            error(py, Class::CallTimeout, text)
        }
        CallError::JobUnsure { source, .. } => match *source {
            CallError::Timeout { .. } => error(py, Class::CallTimeout, text),
            _ => error(py, Class::ConnectionLost, text),
        },
        CallError::NoResponse { server } => no_response(py, &server),
        CallError::CannotCancel { .. }
        | CallError::TooOldForMethods { .. }
        | CallError::TooOldForJobs { .. } => error(py, Class::ProtocolMismatch, text),
        CallError::NoMethods { .. } => error(py, Class::NoMethods, text),
        CallError::Memory { .. } => PyMemoryError::new_err(text),
        CallError::Message(ProtocolError::Unwelcome { .. }) => {
            serialization_error(py, format!("{text}; its max_message_bytes is the limit"), None)
        }
        CallError::Message(_) => serialization_error(py, text, None),
        CallError::WouldDeadlock { .. } => {
            let advice = "execute(...) without await_response queues a call";
            error(py, Class::WouldDeadlock, format!("{text}; {advice}"))
        }
        CallError::Failed { failure, exceptions, is_of_method, .. } => {
            let is_of_method = is_of_method && failure.code == FailureCode::Task;
            match failed(py, &text, &failure, *exceptions, policy) {
                Ok(raised) if is_of_method => as_itself(py, raised),
                Ok(raised) | Err(raised) => raised,
            }
        }
        _ => error(py, Class::ConnectionLost, text),
    };
    in_its_process(py, raised)
}

/// A task has ended without the response that its caller waits for.
pub fn no_response(py: Python<'_>, server: &str) -> PyErr {
    let text = format!(
        "the task on {server} ended without a response: let it call respond(...), or do not wait for a response"
    );
    error(py, Class::NoResponse, text)
}

fn failed(
    py: Python<'_>,
    text: &str,
    failure: &Failure,
    exceptions: Exceptions,
    policy: Policy,
) -> PyResult<PyErr> {
    let name = match failure.code {
        FailureCode::Task if failure.exception.as_deref().is_some_and(is_serialization) => {
            Class::RemoteSerializationError
        }
        FailureCode::Task => Class::RemoteError,
        FailureCode::NotInitialized => Class::NotInitialized,
        FailureCode::Stopping => Class::ServerStopping,
        FailureCode::Serialization | FailureCode::Refused => Class::SerializationError,
        FailureCode::Overloaded => Class::Overloaded,
        FailureCode::Cancelled => Class::CallCancelled,
        FailureCode::Expired => Class::CallTimeout,
        FailureCode::Deadlock => Class::WouldDeadlock,
        FailureCode::NoJob => Class::JobNotFound,
        FailureCode::LostJob => Class::JobLost,
        FailureCode::JobTaken => Class::JobTaken,
    };
    let advice = match failure.code {
        FailureCode::NotInitialized => ": call initialize(init_task, exec_task, exit_task) first",
        _ => "",
    };
    let raised = error(py, name, format!("{text}{advice}"));
    let about = raised.value(py);
    if let Some(traceback) = &failure.traceback {
        about.call_method1("add_note", (format!("\nOn the server:\n\n{traceback}"),))?;
    }
    if matches!(failure.code, FailureCode::Task | FailureCode::Serialization | FailureCode::Refused)
    {
        about.setattr("exception_type", failure.exception.as_deref())?;
        about.setattr("remote_traceback", failure.traceback.as_deref())?;
    }
    let exception = rebuild(py, &raised, failure, exceptions, policy)?;
    if failure.code == FailureCode::Task {
        about.setattr("exception", exception.as_ref())?;
    }
    if let Some(exception) = exception {
        raised.set_cause(py, Some(PyErr::from_value(exception.into_any())));
    }
    Ok(raised)
}

/// The exception that a method has raised, with the `RemoteError` that tells of it as its cause, which leads on to what
/// led to the exception there. What is no `Exception`, such as `SystemExit`, is not raised here.
fn as_itself(py: Python<'_>, told: PyErr) -> PyErr {
    let exception = told.value(py).getattr("exception").ok();
    let exception = exception.and_then(|exception| exception.cast_into::<PyException>().ok());
    let Some(exception) = exception.map(|exception| PyErr::from_value(exception.into_any())) else {
        return told;
    };
    match precede(py, &told, &exception) {
        Ok(()) => exception,
        Err(error) => error,
    }
}

/// Whether the exception of a task is a `SerializationError`.
fn is_serialization(exception: &str) -> bool {
    ["bgpy.errors.SerializationError", "bgpy.errors.RemoteSerializationError"].contains(&exception)
}

/// The exception for a response that a task sent with `error=True`.
pub fn error_response(py: Python<'_>, server: &str, response: &Bound<'_, PyAny>) -> PyErr {
    let told = response
        .cast::<PyDict>()
        .ok()
        .and_then(|dict| dict.get_item("message").ok().flatten())
        .and_then(|message| shortened(message.cast::<PyString>().ok()?).ok());
    let text =
        told.or_else(|| response.repr().and_then(|repr| shortened(&repr)).ok()).unwrap_or_default();
    let raised = error(
        py,
        Class::RemoteError,
        format!("{server}: the task responded with an error: {text}"),
    );
    match raised.value(py).setattr("response", response) {
        Ok(()) => raised,
        Err(error) => error,
    }
}

pub fn start_error(py: Python<'_>, source: &StartError) -> PyErr {
    if matches!(source, StartError::Interrupted) {
        return interrupted(py);
    }
    let advice = match source {
        StartError::Reported { kind: FailureKind::NameTaken, .. } => {
            "; replace=True starts this one in its place, and exist_ok=True uses the running one"
        }
        StartError::Reported { kind, .. } => serve_advice(*kind),
        _ => "",
    };
    error(py, class_of(source), format!("{source}{advice}"))
}

fn class_of(source: &StartError) -> Class {
    match source {
        StartError::LogFile { .. } => Class::ConfigError,
        StartError::Reported { kind, .. } => reported(*kind),
        StartError::Timeout { .. } | StartError::StillEnding { .. } => Class::CallTimeout,
        StartError::Replaced { source, .. } => class_of(source),
        _ => Class::StartError,
    }
}

pub fn serve_error(py: Python<'_>, source: &ServeError) -> PyErr {
    let kind = source.kind();
    error(py, reported(kind), format!("{source}{}", serve_advice(kind)))
}

/// What to do in Python about a server that cannot be set up, beside what the error says.
fn serve_advice(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::WeakToken => ", or allow this one with allow_weak_token=True",
        FailureKind::Import => "; python=... chooses another",
        _ => "",
    }
}

/// An error unless a server that this process ran has ended in good order.
pub fn in_good_order(py: Python<'_>, ended: Ended) -> PyResult<()> {
    match ended {
        Ended::Orderly => Ok(()),
        Ended::Start(failure) => Err(error(py, Class::StartError, failure_text(&failure))),
        Ended::ExitTask(failure) => Err(error(py, Class::RemoteError, failure_text(&failure))),
        Ended::Failed(reason) => Err(error(py, Class::BgpyError, reason)),
    }
}

/// The exception for a kind of error that a background server reports.
fn reported(kind: FailureKind) -> Class {
    match kind {
        FailureKind::Config | FailureKind::WeakToken => Class::ConfigError,
        FailureKind::AddressInUse => Class::AddressInUse,
        FailureKind::NameTaken | FailureKind::NameHeld => Class::NameTaken,
        FailureKind::WouldDeadlock => Class::WouldDeadlock,
        _ => Class::StartError,
    }
}

/// The text of a failure, with its traceback.
fn failure_text(failure: &Failure) -> String {
    match &failure.traceback {
        Some(traceback) => format!("{failure}\n\n{traceback}"),
        None => failure.to_string(),
    }
}

fn interrupted(py: Python<'_>) -> PyErr {
    // If a signal handler raised, its exception is pending; see `arguments::waiting`.
    PyErr::take(py).unwrap_or_else(|| pyo3::exceptions::PyKeyboardInterrupt::new_err(()))
}

//! The exceptions that led to another one: its cause or context, and theirs.
//!
//! Pickle leaves them out. Each travels on its own, so that one that cannot be pickled here or rebuilt there takes
//! none of the others with it.

use bgpy::limits::CAUSES_MAX;
use bgpy::{Cause, Exceptions, Failure};
use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;

use super::decode::{Policy, decode};
use super::encode::{Receiver, encode_exception};
use super::text::text;
use crate::exceptions::{Class, error, is_no_exception};
use crate::once::interned;

/// The exceptions that Python would print above one, the nearest first.
pub fn causes(exception: &Bound<'_, PyBaseException>, receiver: &Receiver<'_>) -> Box<[Cause]> {
    let mut seen = vec![exception.clone()];
    let mut causes = Vec::new();
    while causes.len() < CAUSES_MAX
        && let Ok(Some((named, cause))) = before(&seen[seen.len() - 1])
        && !seen.iter().any(|one| one.is(&cause))
    {
        causes.push(Cause {
            named,
            exception: type_name(&cause),
            message: text(cause.as_any()),
            object: encode_exception(cause.py(), cause.as_any(), receiver),
        });
        seen.push(cause);
    }
    causes.into()
}

/// The name of an exception's type, with its module unless built in.
pub fn type_name(exception: &Bound<'_, PyBaseException>) -> String {
    let about = |what| exception.get_type().getattr(what)?.extract::<String>();
    let name = about("__qualname__").unwrap_or_else(|_| "Exception".to_owned());
    match about("__module__") {
        Ok(module) if module != "builtins" => format!("{module}.{name}"),
        _ => name,
    }
}

/// The cause of an exception, or its context, and whether it is the cause.
fn before<'py>(
    exception: &Bound<'py, PyBaseException>,
) -> PyResult<Option<(bool, Bound<'py, PyBaseException>)>> {
    let py = exception.py();
    let cause: Option<Bound<'py, _>> = exception.getattr(interned!(py, "__cause__"))?.extract()?;
    if let Some(cause) = cause {
        return Ok(Some((true, cause)));
    }
    if exception.getattr(interned!(py, "__suppress_context__"))?.is_truthy()? {
        return Ok(None);
    }
    let context: Option<Bound<'py, _>> =
        exception.getattr(interned!(py, "__context__"))?.extract()?;
    Ok(context.map(|context| (false, context)))
}

/// Rebuilds the exception of a failure, if that is possible here, and those that led to it. They belong to the
/// exception, or else to the error that `tells` of it.
///
/// # Errors
/// What is no `Exception`, such as `KeyboardInterrupt`.
pub fn rebuild<'py>(
    py: Python<'py>,
    tells: &PyErr,
    failure: &Failure,
    exceptions: Exceptions,
    policy: Policy,
) -> PyResult<Option<Bound<'py, PyBaseException>>> {
    let rebuilt = |message| match decode(py, "exception", message, policy) {
        Err(error) if is_no_exception(&error, py) => Err(error),
        // Its text and traceback have to do.
        decoded => Ok(decoded.ok().and_then(|object| object.cast_into().ok())),
    };
    let raised: Option<Bound<'py, PyBaseException>> =
        exceptions.raised.map_or(Ok(None), rebuilt)?;
    let mut last = raised.clone().unwrap_or_else(|| tells.value(py).clone());
    for (cause, message) in failure.causes.iter().zip(exceptions.causes).take(CAUSES_MAX) {
        let before = match message.map_or(Ok(None), rebuilt)? {
            Some(before) => before,
            None => stand_in(py, cause).into_value(py).into_bound(py),
        };
        if cause.named {
            PyErr::from_value(last.into_any())
                .set_cause(py, Some(PyErr::from_value(before.clone().into_any())));
        } else {
            set_context(&last, &before)?;
        }
        last = before;
    }
    Ok(raised)
}

/// Tells of an exception that cannot be rebuilt here.
fn stand_in(py: Python<'_>, cause: &Cause) -> PyErr {
    let about = error(py, Class::RemoteError, cause.to_string());
    match about.value(py).setattr("exception_type", &cause.exception) {
        Ok(()) => about,
        Err(error) => error,
    }
}

/// Puts what `tells` of a rebuilt exception between it and those that led to it.
///
/// # Errors
/// What Python raises without memory.
pub fn precede(py: Python<'_>, tells: &PyErr, exception: &PyErr) -> PyResult<()> {
    match before(exception.value(py))? {
        Some((false, context)) => {
            tells.set_cause(py, None);
            set_context(tells.value(py), &context)?;
            tells.value(py).setattr("__suppress_context__", false)?;
        }
        before => tells.set_cause(py, before.map(|(_, cause)| PyErr::from_value(cause.into_any()))),
    }
    exception.set_cause(py, Some(tells.clone_ref(py)));
    Ok(())
}

/// Sets the context of an exception, also of one whose class lets nobody set attributes.
fn set_context(
    exception: &Bound<'_, PyBaseException>,
    context: &Bound<'_, PyBaseException>,
) -> PyResult<()> {
    let py = exception.py();
    let attribute = py.get_type::<PyBaseException>().getattr(interned!(py, "__context__"))?;
    attribute.call_method1("__set__", (exception, context)).map(drop)
}

//! The exceptions of `bgpy.errors`, by class, and the classification of any exception that is raised while
//! objects are encoded or decoded.

use pyo3::exceptions::{PyException, PyMemoryError};
use pyo3::prelude::*;

use crate::lazy::{Lazy, import};

/// The classes of `bgpy.errors` that this crate raises.
macro_rules! classes {
    ($($name:ident)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Class {
            $($name,)*
        }

        impl Class {
            const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

classes! {
    AddressInUse AuthError BgpyError CallCancelled CallTimeout CallbackGone Cancelled ConfigError ConnectError ConnectionLost JobLost JobNotFound JobTaken NameTaken
    NoMethods NoResponse NotInitialized NotRunning Overloaded ProtocolMismatch RemoteError
    RemoteSerializationError SerializationError ServerStopping StartError WouldDeadlock
}

fn class_object(py: Python<'_>, class: Class) -> PyResult<Bound<'_, PyAny>> {
    import(py, "bgpy.errors")?.getattr(class.name())
}

/// An exception of `bgpy.errors`.
pub fn error(py: Python<'_>, class: Class, text: impl AsRef<str>) -> PyErr {
    match class_object(py, class).and_then(|class| class.call1((text.as_ref(),))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// An argument is invalid.
pub fn config_error(py: Python<'_>, text: impl AsRef<str>) -> PyErr {
    error(py, Class::ConfigError, text)
}

/// An object cannot be encoded or decoded, because of `cause`.
pub fn serialization_error(py: Python<'_>, text: impl AsRef<str>, cause: Option<PyErr>) -> PyErr {
    let error = error(py, Class::SerializationError, text);
    error.set_cause(py, cause);
    error
}

pub fn is_serialization_error(error: &PyErr, py: Python<'_>) -> bool {
    is(error, py, Class::SerializationError)
}

/// Whether it is of a class of `bgpy.errors`.
pub fn is(error: &PyErr, py: Python<'_>, class: Class) -> bool {
    class_object(py, class).is_ok_and(|class| error.matches(py, class).unwrap_or(false))
}

/// The exception for an allocation that failed in Rust.
pub fn memory_error(what: &str) -> PyErr {
    PyMemoryError::new_err(format!("there is not enough memory for {what}"))
}

/// Whether a `MemoryError` was raised.
pub fn is_memory_error(error: &PyErr, py: Python<'_>) -> bool {
    error.is_instance_of::<PyMemoryError>(py)
}

/// Whether what was raised is a `BaseException` but no `Exception`, such as `KeyboardInterrupt` and
/// `SystemExit`. It must not be replaced or dropped.
pub fn is_no_exception(error: &PyErr, py: Python<'_>) -> bool {
    !error.is_instance_of::<PyException>(py)
}

/// Whether encoding and decoding must pass on an error unchanged: no part of an object is to blame for a lack
/// of memory, nor for Ctrl-C, `sys.exit` and the like, nor for what a signal handler raises.
pub fn must_pass_on(error: &PyErr, py: Python<'_>) -> bool {
    is_memory_error(error, py) || is_no_exception(error, py) || is_of_handler(error, py)
}

/// Whether a signal handler has raised the exception.
fn is_of_handler(error: &PyErr, py: Python<'_>) -> bool {
    static HAS_RAISED: Lazy = Lazy::new("bgpy._signal_handlers", "has_raised");
    let told = HAS_RAISED.get(py).and_then(|told| told.call1((error.value(py),))?.extract());
    told.unwrap_or(false)
}

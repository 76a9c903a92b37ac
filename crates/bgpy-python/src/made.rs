//! Constructors of built-in objects that raise `MemoryError` where those of pyo3 panic, and the
//! classification of what raises while objects are encoded or decoded.

use pyo3::exceptions::{PyException, PyMemoryError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyString, PyTuple};

/// Takes a new reference, or the exception that was raised instead.
///
/// # Safety
/// The pointer is a new reference to an object of that type, or NULL with an exception set.
unsafe fn made<T>(py: Python<'_>, object: *mut ffi::PyObject) -> PyResult<Bound<'_, T>> {
    // SAFETY: the caller's promise.
    unsafe { Bound::from_owned_ptr_or_err(py, object).map(|object| object.cast_into_unchecked()) }
}

fn length(bytes: &[u8]) -> ffi::Py_ssize_t {
    bytes.len() as ffi::Py_ssize_t
}

pub fn int(py: Python<'_>, value: i64) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: a constructor.
    unsafe { made(py, ffi::PyLong_FromLongLong(value)) }
}

pub fn uint(py: Python<'_>, value: u64) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: a constructor.
    unsafe { made(py, ffi::PyLong_FromUnsignedLongLong(value)) }
}

pub fn float(py: Python<'_>, value: f64) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: a constructor.
    unsafe { made(py, ffi::PyFloat_FromDouble(value)) }
}

pub fn text<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    let bytes = text.as_bytes();
    // SAFETY: a constructor, from UTF-8 that lives.
    unsafe { made(py, ffi::PyUnicode_FromStringAndSize(bytes.as_ptr().cast(), length(bytes))) }
}

pub fn bytes<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    // SAFETY: a constructor, from bytes that live.
    unsafe { made(py, ffi::PyBytes_FromStringAndSize(bytes.as_ptr().cast(), length(bytes))) }
}

pub fn bytearray<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyByteArray>> {
    // SAFETY: a constructor, from bytes that live.
    unsafe { made(py, ffi::PyByteArray_FromStringAndSize(bytes.as_ptr().cast(), length(bytes))) }
}

pub fn dict(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    // SAFETY: a constructor.
    unsafe { made(py, ffi::PyDict_New()) }
}

pub fn tuple<'py>(
    py: Python<'py>,
    items: impl ExactSizeIterator<Item = Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyTuple>> {
    // SAFETY: the tuple is new, and each of its slots is set once, to a reference that it steals.
    unsafe {
        let tuple: Bound<'_, PyTuple> = made(py, ffi::PyTuple_New(items.len() as ffi::Py_ssize_t))?;
        for (index, item) in items.enumerate() {
            let index = index as ffi::Py_ssize_t;
            if ffi::PyTuple_SetItem(tuple.as_ptr(), index, item.into_ptr()) != 0 {
                return Err(PyErr::fetch(py));
            }
        }
        Ok(tuple)
    }
}

/// The exception for an allocation that failed in Rust.
pub fn memory_error(what: &str) -> PyErr {
    PyMemoryError::new_err(format!("there is not enough memory for {what}"))
}

/// Whether encoding and decoding must pass on an error unchanged: no part of an object is to blame for a lack
/// of memory, nor for Ctrl-C, `sys.exit` and the like, which are no `Exception`.
pub fn is_nobodys_fault(error: &PyErr, py: Python<'_>) -> bool {
    is_memory_error(error, py) || is_no_exception(error, py)
}

/// Whether what was raised is a `BaseException` but no `Exception`, which must not be replaced or dropped.
pub fn is_no_exception(error: &PyErr, py: Python<'_>) -> bool {
    !error.is_instance_of::<PyException>(py)
}

/// Whether a `MemoryError` was raised.
pub fn is_memory_error(error: &PyErr, py: Python<'_>) -> bool {
    error.is_instance_of::<PyMemoryError>(py)
}

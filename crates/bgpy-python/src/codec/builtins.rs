//! Constructors of built-in objects that raise `MemoryError` where those of pyo3 panic.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyString, PyTuple};

/// Takes a new reference, or the exception that was raised instead.
///
/// # Safety
/// The pointer is a new reference to an object of that type, or NULL with an exception set.
unsafe fn owned<T>(py: Python<'_>, object: *mut ffi::PyObject) -> PyResult<Bound<'_, T>> {
    // SAFETY: the caller's promise.
    unsafe { Bound::from_owned_ptr_or_err(py, object).map(|object| object.cast_into_unchecked()) }
}

fn length(bytes: &[u8]) -> ffi::Py_ssize_t {
    bytes.len() as ffi::Py_ssize_t
}

pub fn int(py: Python<'_>, value: i64) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: a constructor.
    unsafe { owned(py, ffi::PyLong_FromLongLong(value)) }
}

pub fn uint(py: Python<'_>, value: u64) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: a constructor.
    unsafe { owned(py, ffi::PyLong_FromUnsignedLongLong(value)) }
}

pub fn float(py: Python<'_>, value: f64) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: a constructor.
    unsafe { owned(py, ffi::PyFloat_FromDouble(value)) }
}

pub fn text<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    let bytes = text.as_bytes();
    // SAFETY: a constructor, from UTF-8 that lives.
    unsafe { owned(py, ffi::PyUnicode_FromStringAndSize(bytes.as_ptr().cast(), length(bytes))) }
}

pub fn bytes<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    // SAFETY: a constructor, from bytes that live.
    unsafe { owned(py, ffi::PyBytes_FromStringAndSize(bytes.as_ptr().cast(), length(bytes))) }
}

pub fn bytearray<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyByteArray>> {
    // SAFETY: a constructor, from bytes that live.
    unsafe { owned(py, ffi::PyByteArray_FromStringAndSize(bytes.as_ptr().cast(), length(bytes))) }
}

pub fn dict(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    // SAFETY: a constructor.
    unsafe { owned(py, ffi::PyDict_New()) }
}

pub fn tuple<'py>(
    py: Python<'py>,
    items: impl ExactSizeIterator<Item = Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyTuple>> {
    // SAFETY: the tuple is new, and each of its slots is set once, to a reference that it steals.
    unsafe {
        let tuple: Bound<'_, PyTuple> =
            owned(py, ffi::PyTuple_New(items.len() as ffi::Py_ssize_t))?;
        for (index, item) in items.enumerate() {
            let index = index as ffi::Py_ssize_t;
            if ffi::PyTuple_SetItem(tuple.as_ptr(), index, item.into_ptr()) != 0 {
                return Err(PyErr::fetch(py));
            }
        }
        Ok(tuple)
    }
}

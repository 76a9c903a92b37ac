//! Objects that are built in, made from what a message holds. Where the interpreter has no memory for
//! one, these raise `MemoryError`; the constructors of pyo3 panic.

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
    // SAFETY: the tuple is new, and each of its places is filled once, with a reference that it takes
    // over.
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

/// What is raised where Rust has no memory for something.
pub fn memory_error(what: &str) -> PyErr {
    PyMemoryError::new_err(format!("there is not enough memory for {what}"))
}

/// Whether an error is passed on as it is by whoever makes bytes of objects, or objects of bytes: no part of
/// them is to blame for a lack of memory, nor for what is no `Exception`, as Ctrl-C and `sys.exit`.
pub fn is_nobodys_fault(error: &PyErr, py: Python<'_>) -> bool {
    is_memory_error(error, py) || is_no_exception(error, py)
}

/// Whether what was raised is no `Exception`, which nobody may take for something else.
pub fn is_no_exception(error: &PyErr, py: Python<'_>) -> bool {
    !error.is_instance_of::<PyException>(py)
}

/// Whether there was no memory.
pub fn is_memory_error(error: &PyErr, py: Python<'_>) -> bool {
    error.is_instance_of::<PyMemoryError>(py)
}

//! Pickling, and the one place that unpickles.
//!
//! [`loads`] takes a [`Delivered`] message, which exists only after a handshake, so that no byte of
//! a stranger gets here. `tests/` and CI check that no other file names an unpickler.

use std::cell::UnsafeCell;

use bgpy::limits::BUFFERS_MAX;
use bgpy::{Delivered, Payload, memory};
use bgpy_proto::codec::{Reader, Token, ext, write};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList, PyType};

use crate::decode::Policy;
use crate::errors::serialization_error;

/// Pickles an object with functions and classes by value where the other side may lack them.
pub fn dumps(py: Python<'_>, object: &Bound<'_, PyAny>) -> PyResult<Payload> {
    static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let by_value = || PyResult::Ok(py.import("bgpy._by_value")?.getattr("dumps")?.unbind());
    let dumps = DUMPS.get_or_try_init(py, by_value)?;
    let (pickle, views, holds_code): (Bound<'_, PyBytes>, Bound<'_, PyList>, bool) =
        dumps.call1(py, (object, BUFFERS_MAX))?.extract(py)?;
    let pickle = pickle.as_bytes();
    let mut data = Vec::with_capacity(pickle.len() + 8);
    if holds_code {
        write::ext(&mut data, ext::CODE, &[&version(py)[..], pickle].concat())
    } else {
        write::ext(&mut data, ext::PICKLE, pickle)
    }
    .map_err(|error| PyBufferError::new_err(error.to_string()))?;
    let mut buffers = Vec::with_capacity(views.len());
    for view in views {
        buffers.push(copied(&PyBuffer::get(&view)?)?);
    }
    Ok(Payload { data, buffers })
}

/// Copies a buffer that is contiguous, as those of pickles are.
fn copied(view: &PyBuffer<u8>) -> PyResult<Vec<u8>> {
    if !view.is_c_contiguous() {
        return Err(PyBufferError::new_err("a buffer of a pickle is not contiguous"));
    }
    let (length, mut bytes) = (view.len_bytes(), Vec::new());
    memory::grow(&mut bytes, length);
    // SAFETY: the view is contiguous and keeps its memory; the vector has room for all of it, and
    // is as long as what was copied. The GIL is held, so that no Python code changes it meanwhile.
    unsafe {
        std::ptr::copy_nonoverlapping(view.buf_ptr().cast(), bytes.as_mut_ptr(), length);
        bytes.set_len(length);
    }
    Ok(bytes)
}

/// Opens a message that is one pickle.
///
/// # Errors
/// `SerializationError`, with what the pickle raised as its cause.
pub fn loads<'py>(
    py: Python<'py>,
    root: &str,
    message: Delivered,
    policy: Policy,
) -> PyResult<Bound<'py, PyAny>> {
    if !policy.allow_pickle {
        let text = format!(
            "{root} came as a pickle, and allow_pickle=False refuses those: send plain data"
        );
        return Err(serialization_error(py, text, None));
    }
    let (data, buffers) = message.into_parts();
    let pickle = match Reader::new(&data).token() {
        Ok(Token::Ext(ext::PICKLE, pickle)) => pickle,
        // Code of another version of Python would crash the interpreter.
        Ok(Token::Ext(ext::CODE, [major, minor, pickle @ ..])) => {
            if [*major, *minor] != version(py) {
                let [our_major, our_minor] = version(py);
                let text = format!(
                    "the message brings code of Python {major}.{minor} along, which Python \
                     {our_major}.{our_minor} cannot run: use the same version on both sides, or \
                     install the module that holds the code on both (--init-file for tasks)"
                );
                return Err(serialization_error(py, text, None));
            }
            pickle
        }
        _ => return Err(serialization_error(py, "the message is no pickle", None)),
    };
    let pickle = PyBytes::new(py, pickle);
    let make = || {
        let views = PyList::empty(py);
        for bytes in buffers {
            views.append(Py::new(py, Buffer { bytes: UnsafeCell::new(bytes) })?)?;
        }
        let keywords = PyDict::new(py);
        keywords.set_item("buffers", views)?;
        let file = py.import("io")?.call_method1("BytesIO", (&pickle,))?;
        py.import("pickle")?.getattr("Unpickler")?.call((file,), Some(&keywords))
    };
    let unpickler = make()?;
    unpickler.call_method0("load").map_err(|error| {
        let part = part_of(root, &pickle, &unpickler).unwrap_or_else(|_| root.to_owned());
        let text = format!("{part} cannot be unpickled: {}", error.value(py));
        serialization_error(py, text, Some(error))
    })
}

/// The part of an object that raised while it was unpickled.
fn part_of(
    root: &str,
    pickle: &Bound<'_, PyBytes>,
    unpickler: &Bound<'_, PyAny>,
) -> PyResult<String> {
    static CULPRIT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = pickle.py();
    let made = unpickler.getattr("memo")?.call_method0("copy")?.len()?;
    CULPRIT.import(py, "bgpy._pickle_paths", "culprit")?.call1((pickle, made, root))?.extract()
}

/// Major and minor version of the running interpreter.
fn version(py: Python<'_>) -> [u8; 2] {
    let version = py.version_info();
    [version.major, version.minor]
}

/// Memory that a message brought, which the object made from it owns and may write to.
#[pyclass(module = "bgpy._bgpy", frozen)]
pub struct Buffer {
    bytes: UnsafeCell<Vec<u8>>,
}

// SAFETY: Rust touches the bytes only to hand their address to the interpreter. Reads and writes go
// through Python's buffer views, whose users synchronise them as they do for a bytearray.
unsafe impl Sync for Buffer {}

#[pymethods]
impl Buffer {
    /// It travels on as what pickle makes of a writable buffer.
    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyType>, (Bound<'py, PyByteArray>,))> {
        let bytes = PyByteArray::from(slf.as_any())?;
        Ok((slf.py().get_type::<PyByteArray>(), (bytes,)))
    }

    // SAFETY: the vector is never resized or dropped while the object lives, and each view keeps
    // the object alive.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: std::ffi::c_int,
    ) -> PyResult<()> {
        // SAFETY: no other reference to the vector exists while the GIL is held in here; the
        // interpreter passes a view to fill.
        let result = unsafe {
            let bytes = &mut *slf.get().bytes.get();
            let length = bytes.len() as ffi::Py_ssize_t;
            ffi::PyBuffer_FillInfo(view, slf.as_ptr(), bytes.as_mut_ptr().cast(), length, 0, flags)
        };
        if result == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

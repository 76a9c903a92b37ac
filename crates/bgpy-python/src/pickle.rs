//! Pickling, and the one place that unpickles.
//!
//! [`loads`] takes a [`Delivered`] message, which exists only after a handshake, so that no byte of
//! a stranger gets here. `tests/` and CI check that no other file names an unpickler.

use std::cell::UnsafeCell;
use std::sync::Arc;

use bgpy::limits::BUFFERS_MAX;
use bgpy::{Buffer, Delivered, Memory, Payload};
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
        buffers.push(Buffer::Shared(Arc::new(View::new(&view)?)));
    }
    Ok(Payload { data, buffers })
}

/// Memory of a Python object, which is sent from where it lies.
#[derive(Debug)]
struct View {
    buffer: PyBuffer<u8>,
}

impl View {
    /// Buffers of pickles are contiguous.
    fn new(view: &Bound<'_, PyAny>) -> PyResult<Self> {
        let buffer = PyBuffer::get(view)?;
        if !buffer.is_c_contiguous() {
            return Err(PyBufferError::new_err("a buffer of a pickle is not contiguous"));
        }
        Ok(Self { buffer })
    }
}

impl Memory for View {
    fn as_slice(&self) -> &[u8] {
        match self.buffer.len_bytes() {
            0 => &[],
            // SAFETY: the view is contiguous and keeps its memory where it is. A thread that writes
            // to an object while another sends it gets a mixture, as with any socket.
            length => unsafe { std::slice::from_raw_parts(self.buffer.buf_ptr().cast(), length) },
        }
    }

    fn as_mut_ptr(&self) -> *mut u8 {
        self.buffer.buf_ptr().cast()
    }
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
        for buffer in buffers {
            views.append(Py::new(py, Brought::from(buffer))?)?;
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
#[pyclass(module = "bgpy._bgpy", name = "Buffer", frozen)]
pub struct Brought {
    memory: Held,
}

/// Who owns the memory.
enum Held {
    Bytes(UnsafeCell<Vec<u8>>),
    Shared(Arc<dyn Memory>),
}

// SAFETY: Rust touches the bytes only to hand their address to the interpreter. Reads and writes go
// through Python's buffer views, whose users synchronise them as they do for a bytearray.
unsafe impl Sync for Brought {}

impl From<Buffer> for Brought {
    fn from(buffer: Buffer) -> Self {
        let memory = match buffer {
            Buffer::Owned(bytes) => Held::Bytes(UnsafeCell::new(bytes)),
            Buffer::Shared(memory) | Buffer::Lent { memory, .. } => Held::Shared(memory),
        };
        Self { memory }
    }
}

impl Drop for Brought {
    fn drop(&mut self) {
        if let Held::Bytes(bytes) = &mut self.memory {
            bgpy::reuse(std::mem::take(bytes.get_mut()));
        }
    }
}

#[pymethods]
impl Brought {
    /// It travels on as what pickle makes of a writable buffer.
    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyType>, (Bound<'py, PyByteArray>,))> {
        let bytes = PyByteArray::from(slf.as_any())?;
        Ok((slf.py().get_type::<PyByteArray>(), (bytes,)))
    }

    // SAFETY: the memory neither moves nor ends while the object lives, and each view keeps the
    // object alive.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: std::ffi::c_int,
    ) -> PyResult<()> {
        let (start, length) = match &slf.get().memory {
            Held::Bytes(bytes) => {
                // SAFETY: no other reference to the vector exists while the GIL is held in here.
                let bytes = unsafe { &mut *bytes.get() };
                (bytes.as_mut_ptr(), bytes.len())
            }
            Held::Shared(memory) => (memory.as_mut_ptr(), memory.as_slice().len()),
        };
        // SAFETY: the interpreter passes a view to fill; the memory is as long as it says.
        let result = unsafe {
            let length = length as ffi::Py_ssize_t;
            ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start.cast(), length, 0, flags)
        };
        if result == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

//! The memory of Python objects that are sent without copying, and of buffers that are received.

use std::cell::UnsafeCell;
use std::sync::Arc;

use bgpy::{Buffer, Memory};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyType};

/// The memory of a Python object, sent without copying.
#[derive(Debug)]
pub struct View {
    buffer: PyBuffer<u8>,
}

impl View {
    /// Buffers of pickles are contiguous.
    pub fn new(view: &Bound<'_, PyAny>) -> PyResult<Self> {
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
            // SAFETY: the view is contiguous, and while it is held its memory is neither moved nor freed. If
            // another thread writes to the object meanwhile, the receiver gets a mixture, as with any socket.
            length => unsafe { std::slice::from_raw_parts(self.buffer.buf_ptr().cast(), length) },
        }
    }

    fn as_mut_ptr(&self) -> *mut u8 {
        self.buffer.buf_ptr().cast()
    }
}

/// The memory of an immutable object, sent without copying.
#[derive(Debug)]
pub struct Constant {
    start: *const u8,
    length: usize,
    /// Keeps the memory alive.
    _owner: Py<PyAny>,
}

// SAFETY: nobody writes to the memory, and the owner keeps it alive. Dropping the owner without the GIL only
// queues its release.
unsafe impl Send for Constant {}
// SAFETY: as above.
unsafe impl Sync for Constant {}

impl Constant {
    /// # Safety
    /// The bytes belong to the object, which leaves them unchanged as long as it lives.
    pub unsafe fn new(owner: &Bound<'_, PyAny>, bytes: &[u8]) -> Self {
        Self { start: bytes.as_ptr(), length: bytes.len(), _owner: owner.clone().unbind() }
    }
}

impl Memory for Constant {
    fn as_slice(&self) -> &[u8] {
        // SAFETY: the promise made to `new`.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }

    fn as_mut_ptr(&self) -> *mut u8 {
        self.start.cast_mut()
    }
}

/// A received buffer; objects created from it own the memory and may write to it.
#[pyclass(module = "bgpy._bgpy", name = "Buffer", frozen)]
pub struct ReceivedBuffer {
    memory: Held,
}

/// Who owns the memory.
enum Held {
    Bytes(UnsafeCell<Vec<u8>>),
    Shared(Arc<dyn Memory>),
}

// SAFETY: Rust touches the bytes only to hand their address to the interpreter. Reads and writes go
// through Python's buffer views, whose users synchronise them as they do for a bytearray.
unsafe impl Sync for ReceivedBuffer {}

impl From<Buffer> for ReceivedBuffer {
    fn from(buffer: Buffer) -> Self {
        let memory = match buffer {
            Buffer::Owned(bytes) => Held::Bytes(UnsafeCell::new(bytes)),
            Buffer::Shared(memory) | Buffer::Lent { memory, .. } => Held::Shared(memory),
        };
        Self { memory }
    }
}

impl Drop for ReceivedBuffer {
    fn drop(&mut self) {
        if let Held::Bytes(bytes) = &mut self.memory {
            bgpy::reuse(std::mem::take(bytes.get_mut()));
        }
    }
}

#[pymethods]
impl ReceivedBuffer {
    /// Pickled as bytearray, as pickle does with any writable buffer.
    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyType>, (Bound<'py, PyByteArray>,))> {
        let bytes = PyByteArray::from(slf.as_any())?;
        Ok((slf.py().get_type::<PyByteArray>(), (bytes,)))
    }

    // SAFETY: the memory is neither moved nor freed while the object lives, and each view keeps the object
    // alive.
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

//! Encodes plain data: built-in types, and containers of them. Classes of the standard library are in
//! [`encode_stdlib`](super::encode_stdlib).
//!
//! An object that is reached twice must arrive as one object if pickle would keep it one, as it does with
//! containers. A message with such an object is not plain. Numbers and short texts are excepted: so many
//! objects share them that being shared means nothing.
//!
//! Encoding some objects allocates others or runs code of the standard library, so the garbage collector, and
//! with it any Python code, may run. Whatever is read after that is therefore held by a strong reference, or
//! looked up again.

use std::ffi::c_int;
use std::sync::Arc;

use bgpy::limits::{BUFFERS_MAX, DEPTH_MAX};
use bgpy::{Buffer, Memory, Payload};
use bgpy_proto::codec::{Outside, ext, write};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};

use super::memory::{Constant, View};
use super::path::{Culprit, NotPlain, Reason, Step};
use super::visited::Visited;
use crate::exceptions::is_memory_error;

/// Texts and byte strings shorter than this are copied wherever they occur.
const LONG_BYTES: usize = 64;

/// Texts and bytes of at least this size are sent without copying.
const OUTSIDE_BYTES: usize = 64 << 10;

/// Enough room for an object of fixed size, for the head of any other, and for a short text with its head.
const HEAD_ROOM: usize = 64;
const SHORT_BYTES: usize = HEAD_ROOM - 8;

/// How to encode an immutable object that is reached twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// It must stay one object, so the message is not plain.
    Kept,
    /// It is copied: for receivers that accept no pickle.
    Copied,
}

/// The encoder of one message.
pub struct Plain<'py> {
    pub(super) py: Python<'py>,
    pub(super) out: Vec<u8>,
    /// Texts and bytes that are sent separately.
    outside: Vec<Buffer>,
    /// Objects met so far that have other references too, one of which may be another part of the message.
    pub(super) visited: Visited,
    /// Whether the value of an enumeration's member is being written.
    pub(super) in_member: bool,
    repeats: Repeats,
    /// Enumerations of this message: the class, and the encoded name that precedes each member's value.
    pub(super) enums: Vec<(Bound<'py, PyType>, Vec<u8>)>,
}

type Done = Result<(), NotPlain>;

impl<'py> Plain<'py> {
    pub fn new(py: Python<'py>, repeats: Repeats) -> Self {
        let out = Vec::with_capacity(256);
        let (outside, visited, enums) = (Vec::new(), Visited::default(), Vec::new());
        Self { py, out, outside, visited, in_member: false, repeats, enums }
    }

    pub fn into_payload(self) -> Payload {
        Payload { data: self.out, buffers: self.outside }
    }

    /// Appends the root object of the message.
    pub fn append_root(&mut self, object: &Bound<'py, PyAny>) -> Result<(), Culprit> {
        // SAFETY: the reference keeps the object alive.
        unsafe { self.append(object.as_ptr(), DEPTH_MAX) }.map_err(|NotPlain(culprit)| *culprit)
    }

    /// Appends an object.
    ///
    /// # Safety
    /// The object is alive. It need not stay alive once other Python code can run.
    pub(super) unsafe fn append(&mut self, object: *mut ffi::PyObject, depth: usize) -> Done {
        // SAFETY: the object is alive.
        unsafe { self.append_known(object, ffi::Py_REFCNT(object) > 1, depth) }
    }

    /// Appends an object; `shared` says whether it has other references.
    ///
    /// # Safety
    /// As for `append`.
    #[inline]
    unsafe fn append_known(
        &mut self,
        object: *mut ffi::PyObject,
        shared: bool,
        depth: usize,
    ) -> Done {
        if self.out.capacity() - self.out.len() < HEAD_ROOM {
            // SAFETY: the object is alive.
            unsafe { self.grow(object, HEAD_ROOM)? }
        }
        // SAFETY: the object is alive, and no Python code runs before a reference to it is taken: reading a
        // scalar allocates no object that the garbage collector tracks, except the error in `text`, which
        // holds the object first.
        unsafe {
            let kind = ffi::Py_TYPE(object);
            let is = |other: *mut ffi::PyTypeObject| kind == other;
            if is(&raw mut ffi::PyUnicode_Type) {
                self.text(object, shared)
            } else if is(&raw mut ffi::PyLong_Type) {
                self.int(object)
            } else if object == ffi::Py_None() {
                write::nil(&mut self.out);
                Ok(())
            } else if is(&raw mut ffi::PyBool_Type) {
                write::bool(&mut self.out, object == ffi::Py_True());
                Ok(())
            } else if is(&raw mut ffi::PyFloat_Type) {
                write::f64(&mut self.out, ffi::PyFloat_AsDouble(object));
                Ok(())
            } else if is(&raw mut ffi::PyBytes_Type) {
                self.bytes(object, shared)
            } else {
                let held = Bound::from_borrowed_ptr(self.py, object);
                self.held(kind, &held, shared, depth)
            }
        }
    }

    fn held(
        &mut self,
        kind: *mut ffi::PyTypeObject,
        object: &Bound<'py, PyAny>,
        shared: bool,
        depth: usize,
    ) -> Done {
        let is = |other: *mut ffi::PyTypeObject| kind == other;
        if is(&raw mut ffi::PyDict_Type) {
            let depth = self.inside(object, shared, depth)?;
            self.dict(object, depth)
        } else if is(&raw mut ffi::PyList_Type) {
            let depth = self.inside(object, shared, depth)?;
            self.list(object, depth)
        } else if is(&raw mut ffi::PyTuple_Type) {
            self.tuple(object, shared, depth)
        } else if is(&raw mut ffi::PySet_Type) {
            let depth = self.inside(object, shared, depth)?;
            self.set(object, ext::SET, depth)
        } else if is(&raw mut ffi::PyFrozenSet_Type) {
            // Python has, or had, one object for all empty ones.
            // SAFETY: a frozenset that is held.
            let empty = unsafe { ffi::PySet_Size(object.as_ptr()) } == 0;
            let depth = if empty { depth } else { self.inside(object, shared, depth)? };
            self.set(object, ext::FROZENSET, depth)
        } else if is(&raw mut ffi::PyByteArray_Type) {
            if shared {
                self.note(object)?;
            }
            // SAFETY: a bytearray that is held.
            let length = unsafe { ffi::PyByteArray_Size(object.as_ptr()) } as usize;
            if self.goes_outside(length)
                && let Ok(view) = View::new(object)
            {
                return self.outside(object, Outside::ByteArray, view);
            }
            self.room(object, length)?;
            // SAFETY: as above; nothing else runs while its memory is copied.
            let result = unsafe {
                let data = ffi::PyByteArray_AsString(object.as_ptr()).cast::<u8>();
                let bytes = std::slice::from_raw_parts(data, length);
                write::ext(&mut self.out, ext::BYTEARRAY, bytes)
            };
            result.map_err(|_| self.not_plain(object, Reason::Form))
        } else {
            self.stdlib(object, shared, depth)
        }
    }

    /// Returns the depth that is left inside a container, unless the container was met before.
    pub(super) fn inside(
        &mut self,
        container: &Bound<'py, PyAny>,
        shared: bool,
        depth: usize,
    ) -> Result<usize, NotPlain> {
        if shared {
            self.note(container)?;
        }
        let deeper = depth.checked_sub(1).filter(|left| *left > 0);
        deeper.ok_or_else(|| self.not_plain(container, Reason::Depth))
    }

    /// Notes an immutable object that holds no other.
    pub(super) fn once(&mut self, object: &Bound<'py, PyAny>, shared: bool) -> Done {
        if shared && self.repeats == Repeats::Kept {
            self.note(object)?;
        }
        Ok(())
    }

    /// Notes an object that must not be met again.
    fn note(&mut self, object: &Bound<'py, PyAny>) -> Done {
        match self.visited.insert(object.as_ptr()) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.not_plain(object, Reason::Shared)),
            Err(_) => Err(self.not_plain(object, Reason::Memory)),
        }
    }

    /// Reserves this many bytes, in addition to the room for the next head.
    pub(super) fn room(&mut self, object: &Bound<'py, PyAny>, bytes: usize) -> Done {
        let bytes = bytes.saturating_add(HEAD_ROOM);
        self.out.try_reserve(bytes).map_err(|_| self.not_plain(object, Reason::Memory))
    }

    /// # Safety
    /// The object is alive.
    #[cold]
    unsafe fn grow(&mut self, object: *mut ffi::PyObject, bytes: usize) -> Done {
        // SAFETY: as above.
        self.out.try_reserve(bytes).map_err(|_| unsafe { self.refuse(object, Reason::Memory) })
    }

    #[cold]
    pub(super) fn not_plain(&self, part: &Bound<'py, PyAny>, reason: Reason) -> NotPlain {
        NotPlain(Box::new(Culprit { reason, part: part.clone().unbind(), steps: Vec::new() }))
    }

    /// # Safety
    /// The object is alive.
    #[cold]
    unsafe fn refuse(&self, part: *mut ffi::PyObject, reason: Reason) -> NotPlain {
        // SAFETY: as above.
        self.not_plain(&unsafe { Bound::from_borrowed_ptr(self.py, part) }, reason)
    }

    /// Notes a long text or byte string, whose copies would add up.
    unsafe fn long(&mut self, object: *mut ffi::PyObject, shared: bool) -> Done {
        if shared && self.repeats == Repeats::Kept {
            // SAFETY: the object is alive.
            self.note(&unsafe { Bound::from_borrowed_ptr(self.py, object) })?;
        }
        Ok(())
    }

    unsafe fn text(&mut self, object: *mut ffi::PyObject, shared: bool) -> Done {
        let mut length = 0;
        // SAFETY: a str that is alive; its UTF-8 form lives as long as it does.
        unsafe {
            let held = Bound::from_borrowed_ptr(self.py, object);
            let data = ffi::PyUnicode_AsUTF8AndSize(object, &mut length).cast::<u8>();
            if data.is_null() {
                let error = PyErr::fetch(self.py);
                if is_memory_error(&error, self.py) {
                    return Err(self.not_plain(&held, Reason::Memory));
                }
                return self.surrogates(&held);
            }
            let bytes = std::slice::from_raw_parts(data, length as usize);
            if bytes.len() >= LONG_BYTES {
                self.long(object, shared)?;
            }
            if self.goes_outside(bytes.len()) {
                return self.outside(&held, Outside::Text, Constant::new(&held, bytes));
            }
            if bytes.len() > SHORT_BYTES {
                self.room(&held, bytes.len())?;
            }
            write::str(&mut self.out, std::str::from_utf8_unchecked(bytes))
                .map_err(|_| self.refuse(object, Reason::Form))
        }
    }

    /// Appends a text with surrogates, which UTF-8 cannot encode.
    pub(super) fn surrogates(&mut self, text: &Bound<'py, PyAny>) -> Done {
        // SAFETY: a str that is held; the result is a new reference, or NULL with an error.
        let bytes = unsafe {
            let (encoding, errors) = (c"utf-8".as_ptr(), c"surrogatepass".as_ptr());
            let bytes = ffi::PyUnicode_AsEncodedString(text.as_ptr(), encoding, errors);
            Bound::from_owned_ptr_or_opt(self.py, bytes)
        };
        let Some(bytes) = bytes.and_then(|bytes| bytes.cast_into::<PyBytes>().ok()) else {
            drop(PyErr::take(self.py));
            return Err(self.not_plain(text, Reason::Form));
        };
        self.room(text, bytes.as_bytes().len())?;
        write::ext(&mut self.out, ext::SURROGATES, bytes.as_bytes())
            .map_err(|_| self.not_plain(text, Reason::Form))
    }

    unsafe fn bytes(&mut self, object: *mut ffi::PyObject, shared: bool) -> Done {
        // SAFETY: a bytes object that is alive.
        unsafe {
            let length = ffi::PyBytes_Size(object) as usize;
            let data = ffi::PyBytes_AsString(object).cast::<u8>();
            let bytes = std::slice::from_raw_parts(data, length);
            if length >= LONG_BYTES {
                self.long(object, shared)?;
            }
            if self.goes_outside(length) {
                let held = Bound::from_borrowed_ptr(self.py, object);
                return self.outside(&held, Outside::Bytes, Constant::new(&held, bytes));
            }
            self.room(&Bound::from_borrowed_ptr(self.py, object), length)?;
            write::bin(&mut self.out, bytes).map_err(|_| self.refuse(object, Reason::Form))
        }
    }

    fn goes_outside(&self, bytes: usize) -> bool {
        bytes >= OUTSIDE_BYTES && self.outside.len() < BUFFERS_MAX
    }

    /// Appends a reference to a buffer that is sent separately.
    fn outside(
        &mut self,
        object: &Bound<'py, PyAny>,
        kind: Outside,
        memory: impl Memory + 'static,
    ) -> Done {
        if self.outside.try_reserve(1).is_err() {
            return Err(self.not_plain(object, Reason::Memory));
        }
        self.outside.push(Buffer::Shared(Arc::new(memory)));
        write::ext(&mut self.out, ext::OUTSIDE, &[kind as u8])
            .map_err(|_| self.not_plain(object, Reason::Form))
    }

    unsafe fn int(&mut self, object: *mut ffi::PyObject) -> Done {
        let mut overflow: c_int = 0;
        // SAFETY: an int that is alive.
        let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(object, &mut overflow) };
        if overflow == 0 {
            write::int(&mut self.out, value);
            return Ok(());
        }
        // SAFETY: as above.
        let int = unsafe { Bound::from_borrowed_ptr(self.py, object) };
        if let Ok(value) = int.extract::<u64>() {
            write::uint(&mut self.out, value);
            return Ok(());
        }
        let bytes = twos_complement(&int).map_err(|error| {
            let short = is_memory_error(&error, self.py);
            self.not_plain(&int, if short { Reason::Memory } else { Reason::Form })
        })?;
        self.room(&int, bytes.as_bytes().len())?;
        write::ext(&mut self.out, ext::BIG_INT, bytes.as_bytes())
            .map_err(|_| self.not_plain(&int, Reason::Form))
    }

    fn dict(&mut self, dict: &Bound<'py, PyAny>, depth: usize) -> Done {
        // SAFETY: a dict that is held. Its keys and values are alive when they are looked up, and held from
        // then on. `PyDict_Next` accepts any position, even after the dict has changed.
        unsafe {
            let announced = ffi::PyDict_Size(dict.as_ptr()) as usize;
            write::map(&mut self.out, announced).map_err(|_| self.not_plain(dict, Reason::Form))?;
            let (mut count, mut position) = (0, 0);
            let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
            while ffi::PyDict_Next(dict.as_ptr(), &mut position, &mut key, &mut value) != 0 {
                // Our own reference must not make a value look shared, as it does a key.
                let shared = ffi::Py_REFCNT(value) > 1;
                let held = Bound::from_borrowed_ptr(self.py, key);
                let held_value = Bound::from_borrowed_ptr(self.py, value);
                self.append(key, depth).map_err(|found| found.at(|| Step::Place(count)))?;
                self.append_known(value, shared, depth)
                    .map_err(|found| found.at(|| Step::Key(held.clone().unbind())))?;
                drop((held, held_value));
                count += 1;
            }
            // The dict was changed meanwhile: not plain. Pickling it then fails in its own way, or succeeds.
            if count == announced { Ok(()) } else { Err(self.not_plain(dict, Reason::Form)) }
        }
    }

    fn list(&mut self, list: &Bound<'py, PyAny>, depth: usize) -> Done {
        // SAFETY: a list that is held. An item is alive when it is looked up.
        unsafe {
            let items = ffi::PyList_Size(list.as_ptr());
            write::array(&mut self.out, items as usize)
                .map_err(|_| self.not_plain(list, Reason::Form))?;
            for index in 0..items {
                if index >= ffi::PyList_Size(list.as_ptr()) {
                    return Err(self.not_plain(list, Reason::Form));
                }
                self.append(ffi::PyList_GetItem(list.as_ptr(), index), depth)
                    .map_err(|found| found.at(|| Step::Index(index as usize)))?;
            }
        }
        Ok(())
    }

    fn tuple(&mut self, tuple: &Bound<'py, PyAny>, shared: bool, depth: usize) -> Done {
        // SAFETY: a tuple that is held, and with it its items. The empty tuple is a singleton, so being
        // shared means nothing.
        unsafe {
            let items = ffi::PyTuple_Size(tuple.as_ptr());
            let depth = if items == 0 { depth } else { self.inside(tuple, shared, depth)? };
            let start = self.out.len();
            for index in 0..items {
                self.append(ffi::PyTuple_GetItem(tuple.as_ptr(), index), depth)
                    .map_err(|found| found.at(|| Step::Index(index as usize)))?;
            }
            self.close(tuple, ext::TUPLE, start)
        }
    }

    fn set(&mut self, set: &Bound<'py, PyAny>, kind: i8, depth: usize) -> Done {
        let start = self.out.len();
        let Ok(items) = set.try_iter() else { return Err(self.not_plain(set, Reason::Form)) };
        for (index, item) in items.enumerate() {
            // The iterator raises if the set was changed.
            let Ok(item) = item else { return Err(self.not_plain(set, Reason::Form)) };
            // Our own reference makes each item look shared, which only costs an entry in `visited`.
            // SAFETY: the item is held.
            unsafe { self.append(item.as_ptr(), depth) }
                .map_err(|found| found.at(|| Step::Place(index)))?;
        }
        self.close(set, kind, start)
    }

    /// Turns everything written since `start` into the contents of an extension.
    pub(super) fn close(&mut self, object: &Bound<'py, PyAny>, kind: i8, start: usize) -> Done {
        self.room(object, 0)?;
        write::ext_around(&mut self.out, kind, start)
            .map_err(|_| self.not_plain(object, Reason::Form))
    }
}

/// The shortest little-endian form of an int that keeps its sign.
fn twos_complement<'py>(int: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let bits: usize = int.call_method0("bit_length")?.extract()?;
    let signed = PyDict::new(int.py());
    signed.set_item("signed", true)?;
    int.call_method("to_bytes", (bits / 8 + 1, "little"), Some(&signed))?
        .cast_into()
        .map_err(Into::into)
}

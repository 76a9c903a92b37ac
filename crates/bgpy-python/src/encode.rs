//! From Python objects to messages, without a tree in between.
//!
//! Plain data is what arrives exactly as pickle would deliver it: objects of the very types below,
//! none of them reached twice. Everything else goes, whole, as a pickle.

use std::collections::HashSet;
use std::ffi::c_int;

use bgpy::Payload;
use bgpy::limits::DEPTH_MAX;
use bgpy_proto::codec::{ext, write};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::serialization_error;
use crate::pickle;

/// Encodes an object; `what` names it in errors.
pub fn encode(py: Python<'_>, what: &str, object: &Bound<'_, PyAny>) -> PyResult<Payload> {
    let mut plain = Plain { out: Vec::with_capacity(256), seen: Seen::default() };
    if plain.append(py, object.as_ptr(), DEPTH_MAX).is_ok() {
        return Ok(plain.out.into());
    }
    pickle::dumps(py, object).map_err(|error| {
        let kind = object.get_type().name().map(|name| name.to_string()).unwrap_or_default();
        let text = format!("{what} (a {kind}) cannot be pickled: {}", error.value(py));
        serialization_error(py, text, Some(error))
    })
}

struct Plain {
    out: Vec<u8>,
    /// Containers that something else refers to as well, which may be another part of the message.
    seen: Seen,
}

/// A set of addresses that needs no memory for a few.
#[derive(Default)]
struct Seen {
    few: [usize; 8],
    count: usize,
    many: HashSet<usize>,
}

impl Seen {
    /// Adds a container; `false` when it was there.
    fn insert(&mut self, container: *mut ffi::PyObject) -> bool {
        let address = container as usize;
        let known = self.few[..self.count].contains(&address);
        if known || self.count == self.few.len() {
            return !known && self.many.insert(address);
        }
        self.few[self.count] = address;
        self.count += 1;
        true
    }
}

/// The object is more than plain data.
struct NotPlain;

impl From<write::TooLong> for NotPlain {
    fn from(_: write::TooLong) -> Self {
        Self
    }
}

impl Plain {
    fn append(
        &mut self,
        py: Python<'_>,
        object: *mut ffi::PyObject,
        depth: usize,
    ) -> Result<(), NotPlain> {
        // SAFETY: `object` is borrowed from the caller or from a container that is alive and that
        // nothing changes meanwhile: the GIL is held, and no Python code runs in here.
        unsafe {
            let kind = ffi::Py_TYPE(object);
            let is = |other: *mut ffi::PyTypeObject| kind == other;
            if is(&raw mut ffi::PyUnicode_Type) {
                self.text(object)
            } else if is(&raw mut ffi::PyLong_Type) {
                self.int(py, object)
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
                let length = ffi::PyBytes_Size(object) as usize;
                let data = ffi::PyBytes_AsString(object).cast::<u8>();
                Ok(write::bin(&mut self.out, std::slice::from_raw_parts(data, length))?)
            } else if is(&raw mut ffi::PyDict_Type) {
                self.dict(py, object, depth)
            } else if is(&raw mut ffi::PyList_Type) {
                self.list(py, object, depth)
            } else if is(&raw mut ffi::PyTuple_Type) {
                self.tuple(py, object, depth)
            } else {
                Err(NotPlain)
            }
        }
    }

    /// Goes one level deeper, unless this container was met before.
    unsafe fn inside(
        &mut self,
        container: *mut ffi::PyObject,
        depth: usize,
    ) -> Result<usize, NotPlain> {
        // SAFETY: the container is alive.
        let shared = unsafe { ffi::Py_REFCNT(container) } > 1;
        if shared && !self.seen.insert(container) {
            return Err(NotPlain);
        }
        depth.checked_sub(1).filter(|left| *left > 0).ok_or(NotPlain)
    }

    unsafe fn text(&mut self, object: *mut ffi::PyObject) -> Result<(), NotPlain> {
        let mut length = 0;
        // SAFETY: a str; its UTF-8 form lives as long as it does.
        unsafe {
            let data = ffi::PyUnicode_AsUTF8AndSize(object, &mut length).cast::<u8>();
            if data.is_null() {
                // Lone surrogates.
                ffi::PyErr_Clear();
                return Err(NotPlain);
            }
            let bytes = std::slice::from_raw_parts(data, length as usize);
            Ok(write::str(&mut self.out, std::str::from_utf8_unchecked(bytes))?)
        }
    }

    unsafe fn int(&mut self, py: Python<'_>, object: *mut ffi::PyObject) -> Result<(), NotPlain> {
        let mut overflow: c_int = 0;
        // SAFETY: an int.
        let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(object, &mut overflow) };
        if overflow == 0 {
            write::int(&mut self.out, value);
            return Ok(());
        }
        // SAFETY: as above; the reference is borrowed for this call.
        let int = unsafe { Bound::from_borrowed_ptr(py, object) };
        if let Ok(value) = int.extract::<u64>() {
            write::uint(&mut self.out, value);
            return Ok(());
        }
        let bytes = twos_complement(&int).map_err(|_| NotPlain)?;
        Ok(write::ext(&mut self.out, ext::BIG_INT, &bytes)?)
    }

    unsafe fn dict(
        &mut self,
        py: Python<'_>,
        dict: *mut ffi::PyObject,
        depth: usize,
    ) -> Result<(), NotPlain> {
        // SAFETY: a container that is alive.
        let depth = unsafe { self.inside(dict, depth)? };
        // SAFETY: a dict that nothing changes meanwhile; keys and values are borrowed from it.
        unsafe {
            write::map(&mut self.out, ffi::PyDict_Size(dict) as usize)?;
            let (mut position, mut key, mut value) =
                (0, std::ptr::null_mut(), std::ptr::null_mut());
            while ffi::PyDict_Next(dict, &mut position, &mut key, &mut value) != 0 {
                self.append(py, key, depth)?;
                self.append(py, value, depth)?;
            }
        }
        Ok(())
    }

    unsafe fn list(
        &mut self,
        py: Python<'_>,
        list: *mut ffi::PyObject,
        depth: usize,
    ) -> Result<(), NotPlain> {
        // SAFETY: a container that is alive.
        let depth = unsafe { self.inside(list, depth)? };
        // SAFETY: a list that nothing changes meanwhile; items are borrowed from it.
        unsafe {
            let items = ffi::PyList_Size(list);
            write::array(&mut self.out, items as usize)?;
            (0..items)
                .try_for_each(|index| self.append(py, ffi::PyList_GetItem(list, index), depth))
        }
    }

    unsafe fn tuple(
        &mut self,
        py: Python<'_>,
        tuple: *mut ffi::PyObject,
        depth: usize,
    ) -> Result<(), NotPlain> {
        // SAFETY: a tuple that is alive. There is one empty tuple, which everybody shares.
        let depth = unsafe {
            if ffi::PyTuple_Size(tuple) == 0 { depth } else { self.inside(tuple, depth)? }
        };
        // The length in bytes stands before the items, so they are encoded apart.
        let outer = std::mem::take(&mut self.out);
        // SAFETY: a tuple; items are borrowed from it.
        let result = unsafe {
            (0..ffi::PyTuple_Size(tuple))
                .try_for_each(|index| self.append(py, ffi::PyTuple_GetItem(tuple, index), depth))
        };
        let items = std::mem::replace(&mut self.out, outer);
        result?;
        Ok(write::ext(&mut self.out, ext::TUPLE, &items)?)
    }
}

/// The shortest little-endian form of an int that keeps its sign.
fn twos_complement(int: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let bits: usize = int.call_method0("bit_length")?.extract()?;
    let signed = PyDict::new(int.py());
    signed.set_item("signed", true)?;
    int.call_method("to_bytes", (bits / 8 + 1, "little"), Some(&signed))?.extract()
}

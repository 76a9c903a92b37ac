//! Decodes messages to Python objects directly, without an intermediate tree.

use bgpy::config::Config;
use bgpy::limits::DEPTH_MAX;
use bgpy::{Buffer, Delivered};
use bgpy_proto::codec::{CodecError, Item, Outside, Reader, ext};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyFrozenSet, PySet, PyTuple};

use super::{builtins, decode_stdlib, key_cache, pickle};
use crate::exceptions::{
    is_memory_error, is_serialization_error, memory_error, must_pass_on, serialization_error,
};

/// What the receiver allows.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Whether pickles are unpickled.
    pub allow_pickle: bool,
    /// Whether the objects are only displayed: then the name stands in for an enumeration's member that
    /// cannot be made here.
    pub is_for_show: bool,
}

impl Policy {
    /// For objects that are used, and not only displayed.
    pub fn new(allow_pickle: bool) -> Self {
        Self { allow_pickle, is_for_show: false }
    }
}

impl From<&Config> for Policy {
    fn from(config: &Config) -> Self {
        Self::new(config.allow_pickle)
    }
}

/// Decodes a message; `root` names it in errors.
///
/// # Errors
/// `SerializationError`, also for what the policy refuses.
pub fn decode<'py>(
    py: Python<'py>,
    root: &str,
    message: Delivered,
    policy: Policy,
) -> PyResult<Bound<'py, PyAny>> {
    // The buffers of a message that is one pickle belong to that pickle.
    if let Ok(Item::Ext(ext::PICKLE | ext::CODE, _)) = Reader::new(message.data()).item() {
        return pickle::loads(py, root, message, policy)
            .map_err(|error| with_memory_text(py, root, error));
    }
    let (data, outside) = message.into_parts();
    let (mut reader, mut decoder) = (Reader::new(&data), Decoder::new(py, policy, &data, outside));
    let object = decoder.value(&mut reader, DEPTH_MAX);
    let object = object.map_err(|error| {
        if is_serialization_error(&error, py) || must_pass_on(&error, py) {
            return with_memory_text(py, root, error);
        }
        // Such as a key that cannot be hashed, an unknown time zone, or a value that is no member.
        let text = format!("the message cannot be decoded: {}", error.value(py));
        serialization_error(py, text, Some(error))
    })?;
    reader.finish().map_err(|error| malformed(py, error))?;
    if decoder.outside.len() > 0 { Err(malformed(py, CodecError::Buffers)) } else { Ok(object) }
}

/// Gives a `MemoryError` without a message one that names the object.
fn with_memory_text(py: Python<'_>, root: &str, error: PyErr) -> PyErr {
    let says_nothing = || error.value(py).str().is_ok_and(|text| text.len().is_ok_and(|n| n == 0));
    if is_memory_error(&error, py) && says_nothing() { memory_error(root) } else { error }
}

/// Makes objects from items.
pub struct Decoder<'py> {
    pub py: Python<'py>,
    pub policy: Policy,
    /// Items of the tuples and sets that are being read.
    items: Vec<Bound<'py, PyAny>>,
    /// Number of list items that the rest of the message can hold: each takes at least a byte. It keeps a
    /// short message from allocating long lists.
    budget: usize,
    /// Buffers that the message has not yet referred to.
    pub outside: std::vec::IntoIter<Buffer>,
}

impl<'py> Decoder<'py> {
    fn new(py: Python<'py>, policy: Policy, data: &[u8], outside: Vec<Buffer>) -> Self {
        let outside = outside.into_iter();
        Self { py, policy, items: Vec::new(), budget: data.len(), outside }
    }

    /// The next value.
    pub fn value(&mut self, reader: &mut Reader<'_>, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        if let Some(text) = reader.long_text().map_err(|error| malformed(self.py, error))? {
            self.inside(depth)?;
            return self.text(text);
        }
        let item = self.next(reader)?;
        self.object(item, reader, depth)
    }

    pub fn next<'m>(&self, reader: &mut Reader<'m>) -> PyResult<Item<'m>> {
        reader.item().map_err(|error| malformed(self.py, error))
    }

    /// The object of an item, with its own items if it is the head of a container.
    fn object(
        &mut self,
        item: Item<'_>,
        reader: &mut Reader<'_>,
        depth: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        let depth = self.inside(depth)?;
        Ok(match item {
            Item::Nil => py.None().into_bound(py),
            Item::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
            Item::Int(value) => builtins::int(py, value)?,
            Item::UInt(value) => builtins::uint(py, value)?,
            Item::F64(value) => builtins::float(py, value)?,
            Item::Str(text) => builtins::text(py, text)?.into_any(),
            Item::Bin(bytes) => builtins::bytes(py, bytes)?.into_any(),
            Item::Array(items) => self.list(items, reader, depth)?,
            Item::Map(pairs) => self.dict(pairs, reader, depth)?,
            Item::Ext(ext::TUPLE, items) => self.tuple(items, depth)?.into_any(),
            Item::Ext(ext::SET, items) => {
                let start = self.push_items(items, depth)?;
                let set = PySet::empty(py)?;
                self.items.drain(start..).try_for_each(|item| set.add(item))?;
                set.into_any()
            }
            Item::Ext(ext::FROZENSET, items) => {
                let start = self.push_items(items, depth)?;
                PyFrozenSet::new(py, self.items.drain(start..))?.into_any()
            }
            Item::Ext(ext::PATH, contents) => decode_stdlib::path(self, contents, depth)?,
            Item::Ext(ext::MEMBER, contents) => decode_stdlib::member(self, contents, depth)?,
            Item::Ext(ext::OUTSIDE, contents) => self.outside(contents)?,
            Item::Ext(kind, contents) => decode_stdlib::atom(py, kind, contents)?,
        })
    }

    fn inside(&self, depth: usize) -> PyResult<usize> {
        depth.checked_sub(1).ok_or_else(|| malformed(self.py, CodecError::Depth))
    }

    /// A text that is not validated yet: Python's decoder does that.
    fn text(&self, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: the bytes live; the result is a new reference, or NULL with an error.
        let text = unsafe {
            let (bytes, length) = (text.as_ptr().cast(), text.len() as ffi::Py_ssize_t);
            let text = ffi::PyUnicode_DecodeUTF8(bytes, length, c"strict".as_ptr());
            Bound::from_owned_ptr_or_err(self.py, text)
        };
        text.map_err(|error| {
            let short = is_memory_error(&error, self.py);
            if short { error } else { malformed(self.py, CodecError::Text) }
        })
    }

    /// The object whose bytes are the next buffer.
    fn outside(&mut self, contents: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        let broken = |error| malformed(py, error);
        let kind = Outside::read(contents);
        let kind = kind.ok_or_else(|| broken(CodecError::Extension(ext::OUTSIDE)))?;
        let buffer = self.outside.next().ok_or_else(|| broken(CodecError::Buffers))?;
        let object = match kind {
            Outside::Text => self.text(&buffer)?,
            Outside::Bytes => builtins::bytes(py, &buffer)?.into_any(),
            Outside::ByteArray => builtins::bytearray(py, &buffer)?.into_any(),
        };
        if let Buffer::Owned(bytes) = buffer {
            bgpy::reuse(bytes);
        }
        Ok(object)
    }

    /// A list of that many items.
    fn list(
        &mut self,
        items: usize,
        reader: &mut Reader<'_>,
        depth: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let left = self.budget.checked_sub(items);
        self.budget = left.ok_or_else(|| malformed(self.py, CodecError::Truncated))?;
        // SAFETY: the list is new, and each of its slots is set once, to a reference that it steals. On an
        // early return it is dropped with empty slots, which deallocation allows.
        unsafe {
            let list = ffi::PyList_New(items as ffi::Py_ssize_t);
            let list = Bound::from_owned_ptr_or_err(self.py, list)?;
            for index in 0..items {
                let item = self.value(reader, depth)?.into_ptr();
                if ffi::PyList_SetItem(list.as_ptr(), index as ffi::Py_ssize_t, item) != 0 {
                    return Err(PyErr::fetch(self.py));
                }
            }
            Ok(list)
        }
    }

    fn dict(
        &mut self,
        pairs: usize,
        reader: &mut Reader<'_>,
        depth: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let dict = builtins::dict(self.py)?;
        for _ in 0..pairs {
            let key = match self.next(reader)? {
                Item::Str(text) if pairs <= key_cache::PAIRS_MAX => {
                    key_cache::key(self.py, text)?.into_any()
                }
                other => self.object(other, reader, depth)?,
            };
            dict.set_item(key, self.value(reader, depth)?)?;
        }
        Ok(dict.into_any())
    }

    /// Reads items up to the end of the contents and pushes them to `items`; returns the index of the first.
    fn push_items(&mut self, contents: &[u8], depth: usize) -> PyResult<usize> {
        let (mut inner, start) = (Reader::new(contents), self.items.len());
        while !inner.is_at_end() {
            let item = self.value(&mut inner, depth)?;
            self.items.try_reserve(1).map_err(|_| memory_error("its items"))?;
            self.items.push(item);
        }
        Ok(start)
    }

    /// The items up to the end of the contents, as a tuple.
    pub fn tuple(&mut self, contents: &[u8], depth: usize) -> PyResult<Bound<'py, PyTuple>> {
        let start = self.push_items(contents, depth)?;
        builtins::tuple(self.py, self.items.drain(start..))
    }
}

pub fn malformed(py: Python<'_>, error: CodecError) -> PyErr {
    serialization_error(py, format!("the message cannot be decoded: {error}"), None)
}

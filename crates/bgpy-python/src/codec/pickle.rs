//! Pickling, and the only place that unpickles.
//!
//! [`loads`] takes a [`Delivered`] message, which exists only after a handshake, so that nothing from an
//! unauthenticated peer is ever unpickled. `tests/` and CI check that no other file names an unpickler.

use std::cell::Cell;
use std::sync::Arc;

use bgpy::limits::BUFFERS_MAX;
use bgpy::{Buffer, Delivered, Payload};
use bgpy_proto::codec::{Item, Reader, ext, write};
use pyo3::exceptions::PyBufferError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use super::builtins;
use super::decode::Policy;
use super::memory::{ReceivedBuffer, View};
use super::path::with_task_names;
use super::text::text;
use crate::exceptions::{
    is_memory_error, is_no_exception, memory_error, must_pass_on, serialization_error,
};
use crate::lazy::{Lazy, import};

/// Maximum size of the head of an extension.
const HEAD_BYTES: usize = 6;

thread_local! {
    /// How many messages this thread is unpickling: a pickle may make a call itself.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// What is pickled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The tasks of a server, which run with the code of this process.
    Tasks,
    /// Any object. The receiver uses its own functions and classes, where it has them.
    Object,
    /// An exception, pickled without separate buffers.
    Exception,
}

/// Pickles an object; functions and classes that the receiver may lack are pickled by value.
pub fn dumps(py: Python<'_>, object: &Bound<'_, PyAny>, content: Content) -> PyResult<Payload> {
    static DUMPS: Lazy = Lazy::new("bgpy._by_value", "dumps");
    let dumps = DUMPS.get(py)?;
    let buffers_max = if content == Content::Exception { 0 } else { BUFFERS_MAX };
    let (pickle, views, holds_code): (Bound<'_, PyBytes>, Bound<'_, PyList>, bool) =
        dumps.call1((object, buffers_max, content == Content::Tasks))?.extract()?;
    let pickle = pickle.as_bytes();
    let (kind, version) =
        if holds_code { (ext::CODE, &version(py)[..]) } else { (ext::PICKLE, &[][..]) };
    let (mut data, length) = (Vec::new(), version.len() + pickle.len());
    data.try_reserve_exact(length + HEAD_BYTES).map_err(|_| memory_error("a pickle"))?;
    write::ext_head(&mut data, kind, length)
        .map_err(|error| PyBufferError::new_err(error.to_string()))?;
    data.extend_from_slice(version);
    data.extend_from_slice(pickle);
    let mut buffers = Vec::with_capacity(views.len());
    for view in views {
        buffers.push(Buffer::Shared(Arc::new(View::new(&view)?)));
    }
    Ok(Payload { data, buffers })
}

/// Unpickles a message that is one pickle.
///
/// # Errors
/// `SerializationError`; its cause is the exception that unpickling raised.
pub fn loads<'py>(
    py: Python<'py>,
    root: &str,
    message: Delivered,
    policy: Policy,
) -> PyResult<Bound<'py, PyAny>> {
    if !policy.allow_pickle {
        let text = format!(
            "{root} arrived as a pickle, which allow_pickle=False refuses: send plain data"
        );
        return Err(serialization_error(py, text, None));
    }
    let (data, buffers) = message.into_parts();
    let pickle = match Reader::new(&data).item() {
        Ok(Item::Ext(ext::PICKLE, pickle)) => pickle,
        // Bytecode of another version of Python would crash this interpreter. `bgpy._code.build` never makes
        // a code object of it, and raises where one is needed.
        Ok(Item::Ext(ext::CODE, [_, _, pickle @ ..])) => pickle,
        _ => return Err(serialization_error(py, "the message is not a pickle", None)),
    };
    let pickle = builtins::bytes(py, pickle)?;
    drop(data);
    let make = || {
        let views = PyList::empty(py);
        for buffer in buffers {
            views.append(Py::new(py, ReceivedBuffer::from(buffer))?)?;
        }
        let keywords = PyDict::new(py);
        keywords.set_item("buffers", views)?;
        let file = py.import("io")?.call_method1("BytesIO", (&pickle,))?;
        // From `_pickle`: importing `pickle` takes longer than unpickling most messages.
        py.import("_pickle")?.getattr("Unpickler")?.call((file,), Some(&keywords))
    };
    let unpickler = make()?;
    let depth = DEPTH.get();
    DEPTH.set(depth + 1);
    let loaded = unpickler.call_method0("load");
    DEPTH.set(depth);
    loaded.map_err(|error| {
        // Without memory, the next message does it, or the end of what it has left.
        if depth == 0 && !is_memory_error(&error, py) {
            abandon(py);
        }
        if must_pass_on(&error, py) {
            return error;
        }
        let part = match part_of(root, &pickle, &unpickler) {
            Err(other) if is_no_exception(&other, py) => return other,
            part => part.unwrap_or_else(|_| root.to_owned()),
        };
        let (part, why) = (with_task_names(part), text(error.value(py)));
        let text = format!("{part} cannot be unpickled: {why}");
        serialization_error(py, text, Some(error))
    })
}

/// Forgets the functions and classes that a failed message has left unfinished.
fn abandon(py: Python<'_>) {
    let abandon = || {
        let modules = py.import("sys")?.getattr("modules")?;
        // Without this module, the message contained none.
        match modules.call_method1("get", ("bgpy._code.build",))? {
            build if build.is_none() => Ok(()),
            build => build.call_method0("abandon").map(drop),
        }
    };
    if let Err(error) = abandon() {
        error.write_unraisable(py, None);
    }
}

/// Imports the modules that [`dumps`] needs for code, ahead of time. An error is ignored: it comes up again
/// in `dumps`.
pub fn prepare_dumps(py: Python<'_>) {
    drop(import(py, "bgpy._by_value"));
    drop(import(py, "bgpy._code.define"));
}

/// Imports the modules that [`loads`] needs for code, ahead of time.
pub fn prepare_loads(py: Python<'_>) {
    drop(py.import("_pickle"));
    drop(import(py, "bgpy._code.build"));
}

/// Forgets the functions and classes of tasks that a client sent before and that failed to start.
pub fn forget_tasks(py: Python<'_>) {
    let forget = || py.import("bgpy._code.table")?.call_method0("forget_tasks");
    if let Err(error) = forget() {
        error.write_unraisable(py, None);
    }
}

/// The part of an object that raised while it was unpickled.
fn part_of(
    root: &str,
    pickle: &Bound<'_, PyBytes>,
    unpickler: &Bound<'_, PyAny>,
) -> PyResult<String> {
    static CULPRIT: Lazy = Lazy::new("bgpy._unpickling_paths", "culprit");
    let py = pickle.py();
    let made = unpickler.getattr("memo")?.call_method0("copy")?.len()?;
    CULPRIT.get(py)?.call1((pickle, made, root))?.extract()
}

/// Major and minor version of the running interpreter.
fn version(py: Python<'_>) -> [u8; 2] {
    let version = py.version_info();
    [version.major, version.minor]
}

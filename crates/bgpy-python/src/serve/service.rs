//! A service: a program that is an object, whose methods clients call by name.

use std::collections::HashMap;

use bgpy::methods::{Method, MethodKind, MethodTable};
use bgpy::{MethodsReply, Reply, Room};
use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::iterator::PySendResult;
use pyo3::types::{PyDict, PyIterator, PyList, PyString, PyTuple};

use super::program::Program;
use super::reply::{await_room, send, send_last};
use super::shown::Shown;
use crate::codec::method_table;
use crate::lazy::{Lazy, import};

/// The object, once it was made.
pub struct ServiceProgram {
    object: Py<PyAny>,
    /// Its `__exit__`, if it has one.
    leave: Option<Py<PyAny>>,
    members: HashMap<String, Member>,
    table: MethodTable,
}

/// A method or property that clients may use.
struct Member {
    name: Py<PyString>,
    kind: MethodKind,
}

impl ServiceProgram {
    /// Makes the object: `factory` is a class, or a function that returns it. The values of `arguments` are texts, as
    /// a user has written them.
    pub fn start(
        factory: &Bound<'_, PyAny>,
        arguments: &[(String, String)],
        shown: &Shown,
    ) -> PyResult<Self> {
        let py = factory.py();
        let begin = import(py, "bgpy._services.begin")?.getattr("begin")?;
        let (object, leave, table): (Bound<'_, PyAny>, Option<Py<PyAny>>, Bound<'_, PyAny>) =
            begin.call1((factory, PyList::new(py, arguments)?))?.extract()?;
        let table = method_table::from_dict(&table)?;
        let member = |name| PyString::intern(py, name).unbind();
        let members = table.methods.iter().map(|Method { name, kind, .. }| {
            (name.clone(), Member { name: member(name), kind: *kind })
        });
        let members = members.collect();
        shown.begin(&object);
        Ok(Self { object: object.unbind(), leave, members, table })
    }

    /// What a call without a method, as clients of tasks make it, is told.
    fn no_task(&self) -> PyErr {
        let class = &self.table.class;
        let text = format!(
            "this server has a {class}, and no tasks: call its methods, bgpy.connect(target, {class}).method(...)"
        );
        PyTypeError::new_err(text)
    }
}

impl Program for ServiceProgram {
    fn call(&mut self, py: Python<'_>, reply: &Reply, message: Bound<'_, PyAny>) -> PyResult<()> {
        let name = reply.method().ok_or_else(|| self.no_task())?;
        let Some(Member { name: member, kind }) = self.members.get(name) else {
            let text = format!("'{}' object has no method '{name}'", self.table.class);
            return Err(PyAttributeError::new_err(text));
        };
        let member = self.object.bind(py).getattr(member)?;
        if *kind == MethodKind::Property {
            return send(py, reply, "the value", &member).map(drop);
        }
        let (arguments, keywords) = arguments(&message)?;
        let result = member.call(arguments, keywords.as_ref())?;
        match kind {
            MethodKind::Stream => stream(reply, &result, name),
            _ => send(py, reply, "the result", &checked(result, name)?).map(drop),
        }
    }

    fn exit(
        &mut self,
        py: Python<'_>,
        reply: &Reply,
        arguments: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        drop(arguments);
        if let Some(leave) = self.leave.take() {
            leave.call1(py, (py.None(), py.None(), py.None()))?;
        }
        // For who waits for the response of an exit_task.
        send(py, reply, "the result", py.None().bind(py)).map(drop)
    }

    fn methods(&self) -> MethodsReply {
        MethodsReply::Table(self.table.clone())
    }
}

/// The arguments of a message: a tuple of those by position, or a list of that and a dict of the others.
fn arguments<'py>(
    message: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyTuple>, Option<Bound<'py, PyDict>>)> {
    if let Ok(arguments) = message.cast::<PyTuple>() {
        return Ok((arguments.clone(), None));
    }
    let both = || -> Option<_> {
        let list = message.cast::<PyList>().ok().filter(|list| list.len() == 2)?;
        let arguments = list.get_item(0).ok()?.cast_into::<PyTuple>().ok()?;
        Some((arguments, Some(list.get_item(1).ok()?.cast_into::<PyDict>().ok()?)))
    };
    let rule = "the message of a method must be a tuple of arguments, or a list of that and a dict";
    both().ok_or_else(|| PyTypeError::new_err(rule))
}

/// The result of a method that is no stream.
fn checked<'py>(result: Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static GENERATOR: Lazy = Lazy::new("types", "GeneratorType");
    if result.get_type().is(GENERATOR.get(result.py())?) {
        let text = format!(
            "{name} has returned a generator, which cannot be sent: annotate it with -> Iterator[...], so that \
             callers know that it yields values"
        );
        return Err(PyTypeError::new_err(text));
    }
    Ok(result)
}

/// Sends what an iterator yields, as fast as it is read, and what it returns.
fn stream(reply: &Reply, iterable: &Bound<'_, PyAny>, name: &str) -> PyResult<()> {
    let py = iterable.py();
    let iterator = iterable.try_iter().map_err(|_| {
        let kind = iterable.get_type().name().map(|kind| kind.to_string()).unwrap_or_default();
        PyTypeError::new_err(format!("{name} must return an iterator, not {kind}"))
    })?;
    let outcome = yielded(py, reply, &iterator);
    // In the thread and context that ran it, so that its `finally` runs there, whoever keeps it.
    if let Some(close) = iterator.as_any().getattr_opt("close")? {
        let closed = close.call0();
        outcome.and(closed.map(drop))
    } else {
        outcome
    }
}

fn yielded(py: Python<'_>, reply: &Reply, iterator: &Bound<'_, PyIterator>) -> PyResult<()> {
    loop {
        if await_room(py, reply)? == Room::Gone {
            return Ok(());
        }
        match iterator.send(py.None().bind(py))? {
            PySendResult::Next(value) => {
                send(py, reply, "a value of the stream", &value)?;
            }
            PySendResult::Return(value) if value.is_none() => return Ok(()),
            PySendResult::Return(value) => {
                return send_last(py, reply, &value).map(drop);
            }
        }
    }
}

//! A service: a program that is an object, whose methods clients call by name.

use std::collections::HashMap;
use std::sync::Arc;

use crate::once::interned;
use bgpy::methods::{Method, MethodKind, MethodTable, Runs};
use bgpy::server::{Bell, Pace, Reader, SocketBell};
use bgpy::{Delivered, Failure, MethodsReply, Reply};
use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use super::async_call::{AsyncCall, LoopBell};
use super::forked::ServerProcess;
use super::program::Program;
use super::reply::send;
use super::shown::Shown;
use super::stream::StreamCall;
use super::within_call::{receive, run};
use crate::codec::decode::Policy;
use crate::codec::method_table;
use crate::lazy::{Lazy, import};

static COROUTINE: Lazy = Lazy::new("types", "CoroutineType");

/// The object, once it was made.
pub struct ServiceProgram {
    service: Arc<Service>,
    /// Its `__exit__`, if it has one.
    leave: Option<Py<PyAny>>,
    table: MethodTable,
    /// What runs its `async def` methods, if it has some.
    event_loop: Option<EventLoop>,
}

/// A `bgpy._services.loop.Loop`, and its bell.
struct EventLoop {
    python: Py<PyAny>,
    bell: Arc<SocketBell>,
}

/// What its methods are called on, by the executing thread and by readers.
struct Service {
    object: Py<PyAny>,
    class: String,
    members: HashMap<String, Member>,
    server_process: ServerProcess,
}

/// A method or property that clients may use.
struct Member {
    name: Py<PyString>,
    kind: MethodKind,
}

/// A reader of a service.
struct ServiceReader {
    service: Arc<Service>,
    policy: Policy,
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
        let begun = begin.call1((factory, PyList::new(py, arguments)?))?;
        let (object, leave, table, event_loop): Begun<'_> = begun.extract()?;
        let event_loop = event_loop.map(EventLoop::of).transpose()?;
        let table = method_table::from_dict(&table)?;
        let members = table.methods.iter().map(|Method { name, kind, .. }| {
            let member = Member { name: PyString::intern(py, name).unbind(), kind: *kind };
            (name.clone(), member)
        });
        shown.serve(&object);
        let service = Service {
            object: object.unbind(),
            class: table.class.clone(),
            members: members.collect(),
            server_process: ServerProcess::this(),
        };
        Ok(Self { service: Arc::new(service), leave, table, event_loop })
    }
}

/// What `bgpy._services.begin.begin` returns.
type Begun<'py> =
    (Bound<'py, PyAny>, Option<Py<PyAny>>, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

impl EventLoop {
    fn of(python: Bound<'_, PyAny>) -> PyResult<Self> {
        let bell = python.getattr("bell")?.cast_into::<LoopBell>()?.get().bell.clone();
        Ok(Self { python: python.unbind(), bell })
    }
}

impl Program for ServiceProgram {
    fn call(&mut self, py: Python<'_>, reply: &Reply, message: Bound<'_, PyAny>) -> PyResult<Pace> {
        let mut stream = match self.service.call(py, reply, &message)? {
            Outcome::Sent => return Ok(Pace::Over),
            Outcome::Stream(stream) => stream,
            Outcome::Awaitable(awaitable) => {
                let event_loop = self.event_loop.as_ref().ok_or_else(|| no_loop(reply))?;
                let (reply, cancellation) = reply.apart();
                event_loop.python.call_method1(py, "begin", (AsyncCall { reply }, awaitable))?;
                return Ok(Pace::Apart(cancellation));
            }
        };
        let is_over = stream.advance(py)?;
        Ok(if is_over { Pace::Over } else { Pace::Suspended(Box::new(stream)) })
    }

    fn drive(&mut self, py: Python<'_>, waits: bool) -> PyResult<bool> {
        let drive = |it: &EventLoop| it.python.call_method1(py, "drive", (waits,))?.extract(py);
        self.event_loop.as_ref().map_or(Ok(false), drive)
    }

    fn bell(&self) -> Option<Arc<dyn Bell>> {
        self.event_loop.as_ref().map(|it| it.bell.clone() as Arc<dyn Bell>)
    }

    fn abandon(&mut self, py: Python<'_>) -> PyResult<()> {
        let abandon = |it: &EventLoop| it.python.call_method0(py, "abandon").map(drop);
        self.event_loop.as_ref().map_or(Ok(()), abandon)
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

    fn reader(&self, policy: Policy) -> Option<Arc<dyn Reader>> {
        self.table.methods.iter().find(|method| method.runs == Runs::Read)?;
        Some(Arc::new(ServiceReader { service: self.service.clone(), policy }))
    }
}

impl Reader for ServiceReader {
    fn read(&self, message: Delivered, reply: &Reply) -> Result<(), Failure> {
        let service = &self.service;
        Python::attach(|py| {
            let process = service.server_process;
            let message = receive(py, "arguments", message, self.policy, process, reply)?;
            run(py, process, reply, || match service.call(py, reply, &message)? {
                Outcome::Sent => Ok(()),
                Outcome::Stream(mut stream) => stream.run_to_end(py),
                Outcome::Awaitable(_) => Err(no_loop(reply)),
            })
        })
    }
}

impl Service {
    /// Calls the method that the caller has named.
    fn call(&self, py: Python<'_>, reply: &Reply, message: &Bound<'_, PyAny>) -> PyResult<Outcome> {
        let name = reply.method().ok_or_else(|| self.no_task())?;
        let Some(Member { name: member, kind }) = self.members.get(name) else {
            let text = format!("'{}' object has no method '{name}'", self.class);
            return Err(PyAttributeError::new_err(text));
        };
        let (arguments, keywords) = arguments(message)?;
        let is_stream = *kind == MethodKind::Stream;
        if is_stream != reply.is_stream() {
            return Err(self.changed(name, if is_stream { "yields values" } else { "yields none" }));
        }
        if *kind == MethodKind::Property {
            if !arguments.is_empty() || keywords.is_some() {
                return Err(self.changed(name, "is a property"));
            }
            send(py, reply, "the value", &self.object.bind(py).getattr(member)?)?;
            return Ok(Outcome::Sent);
        }
        let member = self.object.bind(py).getattr(member)?;
        let result = member.call(arguments, keywords.as_ref())?;
        if is_stream {
            if result.hasattr(interned!(py, "__anext__"))? {
                return Ok(Outcome::Awaitable(result.unbind()));
            }
            return StreamCall::new(&result, name, reply, self.server_process).map(Outcome::Stream);
        }
        if result.get_type().is(COROUTINE.get(py)?) {
            return Ok(Outcome::Awaitable(result.unbind()));
        }
        send(py, reply, "the result", &checked(result, name)?)?;
        Ok(Outcome::Sent)
    }

    /// What a caller is told who takes a method for one of another kind.
    fn changed(&self, name: &str, what: &str) -> PyErr {
        let text = format!(
            "{name} of {} {what}, unlike when its caller has asked for the methods: connect again to use those that \
             the server has now",
            self.class
        );
        PyTypeError::new_err(text)
    }

    /// What a call without a method, as clients of tasks make it, is told.
    fn no_task(&self) -> PyErr {
        let class = &self.class;
        let text = format!(
            "this server has a {class}, and no tasks: call its methods, bgpy.connect(target, {class}).method(...) or \
             `bgpy call TARGET METHOD`"
        );
        PyTypeError::new_err(text)
    }
}

/// What a method has come to.
enum Outcome {
    /// Its result was sent.
    Sent,
    /// Its values are still to be sent.
    Stream(StreamCall),
    /// It is for the event loop: a coroutine or an asynchronous generator.
    Awaitable(Py<PyAny>),
}

fn no_loop(reply: &Reply) -> PyErr {
    let name = reply.method().unwrap_or_default();
    let text =
        format!("{name} has returned a coroutine: define it with async def, and without read=True");
    PyTypeError::new_err(text)
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

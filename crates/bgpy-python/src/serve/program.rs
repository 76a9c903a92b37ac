//! What a server serves.
//!
//! The executor knows no more of it than this trait, and this module is the only one that knows which kinds
//! there are. Another kind is another implementation, in a file of its own, that [`load`] or [`receive`]
//! chooses.

use std::sync::Arc;

use bgpy::server::{Bell, NO_METHODS, Pace, Reader};
use bgpy::{MethodsReply, Reply};
use pyo3::prelude::*;

use super::service::ServiceProgram;
use super::shown::Shown;
use super::source::Origin;
use super::tasks::TaskProgram;
use crate::codec::decode::{Policy, decode};
use crate::lazy::import;

/// A program that has started, with its state. It is called with the GIL held, one call at a time, in order,
/// on the thread that runs the server.
pub trait Program: Send {
    /// Runs a call.
    fn call(
        &mut self,
        py: Python<'_>,
        reply: &Reply,
        arguments: Bound<'_, PyAny>,
    ) -> PyResult<Pace>;

    /// Runs once, after the last call. There are no arguments if no client asked for the end.
    fn exit(
        &mut self,
        py: Python<'_>,
        reply: &Reply,
        arguments: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()>;

    /// The methods that clients may call, if it has some.
    fn methods(&self) -> MethodsReply {
        MethodsReply::Refused { error: NO_METHODS.into() }
    }

    /// See [`Executor::drive`](bgpy::Executor::drive).
    fn drive(&mut self, py: Python<'_>, waits: bool) -> PyResult<bool> {
        let _ = (py, waits);
        Ok(false)
    }

    /// What ends a drive, if there is something to drive.
    fn bell(&self) -> Option<Arc<dyn Bell>> {
        None
    }

    /// Ends what runs between calls.
    fn abandon(&mut self, py: Python<'_>) -> PyResult<()> {
        let _ = py;
        Ok(())
    }

    /// What runs methods that only read, if it has some.
    fn reader(&self, policy: Policy) -> Option<Arc<dyn Reader>> {
        let _ = policy;
        None
    }
}

/// What a client's program is called in errors.
pub const ROOT: &str = "tasks";

/// Loads and starts the program of a server that does not wait for a client to send one.
pub fn load(
    py: Python<'_>,
    origin: Origin,
    policy: Policy,
    shown: &Shown,
) -> PyResult<Box<dyn Program>> {
    match origin {
        Origin::Here(factory) => Ok(Box::new(ServiceProgram::start(factory.bind(py), &[], shown)?)),
        Origin::Client(message) => sent(&decode(py, ROOT, *message, policy)?, None, shown),
        Origin::Source(source) => {
            let module = source.import(py)?;
            let Some(object) = &source.object else {
                return Ok(Box::new(TaskProgram::from_module(&module, &source, shown)?));
            };
            let find = import(py, "bgpy._services.begin")?.getattr("find")?;
            let factory = find.call1((module, &object.factory, source.to_string()))?;
            Ok(Box::new(ServiceProgram::start(&factory, &object.arguments, shown)?))
        }
    }
}

/// Starts the program that a client has sent.
pub fn receive(
    message: &Bound<'_, PyAny>,
    reply: &Reply,
    shown: &Shown,
) -> PyResult<Box<dyn Program>> {
    sent(message, Some(reply), shown)
}

/// Starts what a client has sent: three tasks, or what makes an object.
fn sent(
    message: &Bound<'_, PyAny>,
    reply: Option<&Reply>,
    shown: &Shown,
) -> PyResult<Box<dyn Program>> {
    if message.is_callable() {
        return Ok(Box::new(ServiceProgram::start(message, &[], shown)?));
    }
    Ok(Box::new(TaskProgram::from_message(message, reply, shown)?))
}

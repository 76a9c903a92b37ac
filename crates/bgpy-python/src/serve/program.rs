//! What a server serves.
//!
//! The executor knows no more of it than this trait, and this module is the only one that knows which kinds
//! there are. Another kind is another implementation, in a file of its own, that [`load`] or [`receive`]
//! chooses.

use bgpy::Reply;
use pyo3::prelude::*;

use super::shown::Shown;
use super::source::Origin;
use super::tasks::TaskProgram;
use crate::codec::decode::{Policy, decode};

/// A program that has started, with its state. It is called with the GIL held, one call at a time, in order,
/// on the thread that runs the server.
pub trait Program: Send {
    /// Runs a call.
    fn call(&mut self, py: Python<'_>, reply: &Reply, arguments: Bound<'_, PyAny>) -> PyResult<()>;

    /// Runs once, after the last call. There are no arguments if no client asked for the end.
    fn exit(
        &mut self,
        py: Python<'_>,
        reply: &Reply,
        arguments: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()>;
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
    let program = match origin {
        Origin::Source(source) => TaskProgram::from_module(&source.import(py)?, &source, shown)?,
        Origin::Client(message) => {
            TaskProgram::from_message(&decode(py, ROOT, *message, policy)?, None, shown)?
        }
    };
    Ok(Box::new(program))
}

/// Starts the program that a client has sent.
pub fn receive(
    message: &Bound<'_, PyAny>,
    reply: &Reply,
    shown: &Shown,
) -> PyResult<Box<dyn Program>> {
    Ok(Box::new(TaskProgram::from_message(message, Some(reply), shown)?))
}

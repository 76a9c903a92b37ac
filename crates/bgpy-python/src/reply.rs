//! What a task answers through.

use bgpy::Reply;
use pyo3::prelude::*;

use crate::encode::{Receiver, encode};
use crate::errors::{self, serialization_error};

/// The way back to the caller of a task: its first argument, to be given to `respond`.
///
/// It stays valid after the task has ended and may be used from other threads of the server.
#[pyclass(module = "bgpy", frozen)]
pub struct ClientSocket {
    reply: Reply,
}

impl ClientSocket {
    pub fn new(reply: Reply) -> Self {
        Self { reply }
    }
}

#[pymethods]
impl ClientSocket {
    /// Send a response to the caller; the same as ``bgpy.respond(client_socket, response, error)``.
    ///
    /// Parameters
    /// ----------
    /// response : object
    ///     Any picklable object, usually a dict.
    /// error : bool, default False
    ///     Whether the response tells of an error: ``Client.call`` raises it then.
    ///
    /// Raises
    /// ------
    /// SerializationError
    ///     If the response cannot be pickled.
    /// BgpyError
    ///     In a process that a task has forked: only the server responds.
    #[pyo3(signature = (response, error=false))]
    fn respond(&self, py: Python<'_>, response: &Bound<'_, PyAny>, error: bool) -> PyResult<()> {
        if self.reply.is_in_child() {
            let text = "this process was forked by a task, and the client is not its own to answer: \
                        hand the result to the parent, which responds";
            return Err(errors::error(py, "BgpyError", text));
        }
        // What nobody waits for is encoded all the same: whether a task fails must not depend on
        // who listens.
        let takes_pickles = || Ok(py.detach(|| self.reply.takes_pickles()));
        let client = Receiver { name: "the client", takes_pickles: &takes_pickles };
        let payload = encode(py, "response", response, &client)?;
        py.detach(|| self.reply.respond(payload, error)).map(drop).map_err(|error| {
            serialization_error(py, format!("the response cannot be sent: {error}"), None)
        })
    }

    fn __repr__(&self) -> &'static str {
        "<bgpy.ClientSocket>"
    }
}

/// Send a response to the client that has called a task.
///
/// The first response of a call goes to a client that awaits it; one that nobody awaits is
/// dropped.
///
/// Parameters
/// ----------
/// client_socket : ClientSocket
///     The first argument of the task.
/// response : object
///     Any picklable object, usually a dict.
/// error : bool, default False
///     Whether the response tells of an error. ``Client.call`` raises it then, while
///     ``Client.execute`` returns it like any other.
///
/// Raises
/// ------
/// SerializationError
///     If the response cannot be pickled.
/// BgpyError
///     In a process that a task has forked: only the server responds.
#[pyfunction]
#[pyo3(signature = (client_socket, response, error=false))]
pub fn respond(
    py: Python<'_>,
    client_socket: &Bound<'_, ClientSocket>,
    response: &Bound<'_, PyAny>,
    error: bool,
) -> PyResult<()> {
    client_socket.get().respond(py, response, error)
}

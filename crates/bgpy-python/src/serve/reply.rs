//! `ClientSocket` and `respond`: how a task responds to its caller.

use std::time::Duration;

use bgpy::{Payload, Reply, Room};
use bgpy_proto::ProtocolError;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::current::cancelled;
use crate::codec::encode::{Receiver, encode};
use crate::exceptions::{Class, error as exception, serialization_error};

/// How often a task that waits for its caller looks for signals.
pub const LOOK: Duration = Duration::from_millis(20);

/// The first argument of a task, through which it responds to its caller; see `respond`.
///
/// It stays valid after the task has ended, and may be used from any thread of the server.
#[pyclass(module = "bgpy", frozen)]
pub struct ClientSocket {
    reply: Reply,
}

impl ClientSocket {
    pub fn new(reply: Reply) -> Self {
        Self { reply }
    }
}

/// Waits until the reader of a stream has made room; `Gone` if nobody reads it (any more).
pub fn await_room(py: Python<'_>, reply: &Reply) -> PyResult<Room> {
    loop {
        match py.detach(|| reply.await_room(LOOK)) {
            // A cancel arrives as a signal, but not on every thread.
            Room::Full => {
                py.check_signals()?;
                if reply.cancellation().take() {
                    return Err(cancelled(py));
                }
            }
            room => return Ok(room),
        }
    }
}

/// Sends a value to the caller; `root` names it in errors.
pub fn send(py: Python<'_>, reply: &Reply, root: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    // Encoded even if nobody awaits it: whether a task fails must not depend on its caller.
    let payload = encoded(py, reply, root, value)?;
    told(py, root, py.detach(|| reply.respond(payload, false)))
}

/// Sends what a stream has returned.
pub fn send_last(py: Python<'_>, reply: &Reply, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let root = "the result of the stream";
    let payload = encoded(py, reply, root, value)?;
    told(py, root, py.detach(|| reply.respond_last(payload)))
}

fn told(py: Python<'_>, root: &str, sent: Result<bool, ProtocolError>) -> PyResult<bool> {
    sent.map_err(|error| serialization_error(py, format!("{root} cannot be sent: {error}"), None))
}

fn encoded(
    py: Python<'_>,
    reply: &Reply,
    root: &str,
    value: &Bound<'_, PyAny>,
) -> PyResult<Payload> {
    let takes_pickles = || Ok(py.detach(|| reply.takes_pickles()));
    let client = Receiver { name: "the client", takes_pickles: &takes_pickles };
    encode(py, root, value, &client)
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
    ///     Whether the response reports an error, which ``Client.call`` then raises.
    ///
    /// Raises
    /// ------
    /// SerializationError
    ///     If the response cannot be pickled, or the client does not accept it.
    /// BgpyError
    ///     If a process that a task forked calls it: only the server itself can respond.
    #[pyo3(signature = (response, error=false))]
    fn respond(&self, py: Python<'_>, response: &Bound<'_, PyAny>, error: bool) -> PyResult<()> {
        if self.reply.is_in_child() {
            let text = "this process was forked by a task and cannot respond to the client: pass the \
                        result to the parent process, and respond there";
            return Err(exception(py, Class::BgpyError, text));
        }
        // Encoded even if nobody awaits it: whether a task fails must not depend on its caller.
        let payload = encoded(py, &self.reply, "response", response)?;
        if self.reply.is_stream() && await_room(py, &self.reply)? == Room::Gone {
            return Ok(());
        }
        let sent = py.detach(|| self.reply.respond(payload, error));
        told(py, "the response", sent).map(drop)
    }

    fn __repr__(&self) -> &'static str {
        "<bgpy.ClientSocket>"
    }
}

/// Send a response to the client that called the task.
///
/// A client that waits gets the first response of its call. Further responses, and those that nobody
/// waits for, are dropped.
///
/// Parameters
/// ----------
/// client_socket : ClientSocket
///     The first argument of the task.
/// response : object
///     Any picklable object, usually a dict.
/// error : bool, default False
///     Whether the response reports an error. ``Client.call`` then raises it, while ``Client.execute``
///     returns it like any other response.
///
/// Raises
/// ------
/// SerializationError
///     If the response cannot be pickled, or the client does not accept it.
/// BgpyError
///     If a process that a task forked calls it: only the server itself can respond.
#[pyfunction]
#[pyo3(signature = (client_socket, response, error=false))]
pub fn respond(
    py: Python<'_>,
    client_socket: &Bound<'_, PyAny>,
    response: &Bound<'_, PyAny>,
    error: bool,
) -> PyResult<()> {
    let Ok(socket) = client_socket.cast::<ClientSocket>() else {
        let kind = client_socket.get_type().name()?;
        let text = format!("client_socket must be the first argument of the task, not {kind}");
        return Err(PyTypeError::new_err(text));
    };
    socket.get().respond(py, response, error)
}

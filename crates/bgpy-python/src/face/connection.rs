//! The connection of a client, opened on demand.
//!
//! The client's lock is only taken with the GIL held. `os.fork` holds the GIL too, so no other thread can hold
//! the lock at that moment, and the child never inherits it locked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bgpy::{CallError, CallKind, ConnectError, Id, Link, Payload, Response, Wait};
use pyo3::prelude::*;

use super::arguments::{limit, waiting, waiting_with};
use super::client::Client;
use super::errors::{call_error, connect_error};
use super::html::{ANSWER_S, Properties, is_within_reach};

impl Client {
    /// Acts on the connection, which is opened first if there is none.
    pub fn on_link<T: Send>(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        act: impl FnOnce(&Arc<Link>, &Wait<'_>) -> Result<T, CallError> + Send,
    ) -> PyResult<T> {
        let limit = limit(py, timeout)?;
        let link = self.link(py, limit)?;
        waiting(py, limit, |wait| act(&link, wait))?
            .map_err(|error| call_error(py, error, self.policy))
    }

    /// Makes a call on a server that has its tasks. If the server ends without running it and another
    /// one takes its place, the call is encoded again and made there. `meanwhile` is called now and then.
    pub fn calling<T: Send>(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        meanwhile: Option<&Py<PyAny>>,
        encode: impl Fn() -> PyResult<Payload>,
        act: impl Fn(&Arc<Link>, Payload, &Wait<'_>) -> Result<T, CallError> + Sync,
    ) -> PyResult<T> {
        let mut payload = encode()?;
        let (limit, since) = (limit(py, timeout)?, Instant::now());
        let mut left = limit;
        let mut link = self.started(py, limit)?;
        loop {
            let acted = waiting_with(py, left, meanwhile, |wait| act(&link, payload, wait));
            let error = match acted.map_err(|raised| interrupted(py, raised, &link))? {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            left = limit.map(|limit| limit.saturating_sub(since.elapsed()));
            let next = if error.is_stopping() {
                waiting(py, left, |wait| self.client.successor(&link, wait))?
                    .map_err(|error| call_error(py, error, self.policy))?
            } else {
                None
            };
            link = next.ok_or_else(|| call_error(py, error, self.policy))?;
            payload = encode()?;
        }
    }

    /// The connection to a server that has its tasks, if it was restarted.
    pub(super) fn started(&self, py: Python<'_>, limit: Option<Duration>) -> PyResult<Arc<Link>> {
        let mut link = self.link(py, limit)?;
        if link.has_started() {
            return Ok(link);
        }
        let since = Instant::now();
        let left = || limit.map(|limit| limit.saturating_sub(since.elapsed()));
        while !link.has_started() {
            match waiting(py, left(), |wait| link.await_start(wait))? {
                Ok(()) => break,
                // This restart has failed: the call goes to the process of the next one.
                Err(CallError::Lost { .. }) => link = self.link(py, left())?,
                Err(CallError::Connect(ConnectError::Restarting { server, failing, .. })) => {
                    let after = limit.unwrap_or_default();
                    let error = ConnectError::Restarting { server, after, failing };
                    return Err(connect_error(py, &error));
                }
                Err(error) => return Err(call_error(py, error, self.policy)),
            }
        }
        Ok(link)
    }

    /// What a notebook displays.
    pub fn properties(&self, py: Python<'_>) -> PyResult<Properties> {
        let target = self.client.target();
        let mut shown = Properties::of(target.to_string());
        if is_within_reach(target) || self.client.current(Instant::now()).is_some() {
            let limit = limit(py, Some(ANSWER_S))?;
            let ask = |link: Arc<Link>| waiting(py, limit, |wait| link.status(wait));
            shown.add_status(py, self.link(py, limit).and_then(ask))?;
        } else {
            shown.add("state", "not connected");
        }
        Ok(shown)
    }

    /// The connection.
    pub fn link(&self, py: Python<'_>, limit: Option<Duration>) -> PyResult<Arc<Link>> {
        if let Some(link) = self.client.current(Instant::now()) {
            return Ok(link);
        }
        let opened: Result<Link, ConnectError> = waiting(py, limit, |wait| self.client.open(wait))?;
        opened.map(|link| self.client.adopt(link)).map_err(|error| connect_error(py, &error))
    }
}

/// The process of a server that a connection leads to.
pub fn process_of(link: &Link) -> (Id, u64) {
    (link.hello().instance, link.hello().generation)
}

/// Adds to what a signal handler has raised during a call, such as `KeyboardInterrupt`, what becomes of the call.
fn interrupted(py: Python<'_>, raised: PyErr, link: &Link) -> PyErr {
    let server = link.server();
    let shown = format!("bgpy.connect('{server}').status() shows whether it still runs");
    let note = match link.hello().calls {
        true => format!("the server was told to cancel the call: {shown}"),
        false => format!("the call is not cancelled: {shown}"),
    };
    // If the note fails, what was raised must still be.
    drop(raised.value(py).call_method1("add_note", (note,)));
    raised
}

/// Makes a call, and returns its first response if that is awaited.
pub fn send(
    link: &Arc<Link>,
    kind: CallKind,
    payload: Payload,
    await_response: bool,
    wait: &Wait<'_>,
) -> Result<Option<Response>, CallError> {
    if await_response {
        return link.first(kind, payload, wait).map(Some);
    }
    link.accepted(kind, payload, wait).map(|()| None)
}

//! Callbacks of the calls on a connection in an event loop.

use bgpy::{Delivered, Failure, Payload};
use pyo3::prelude::*;

use super::async_link::AsyncLink;
use super::waiting_servers::WaitingServers;
use crate::once::interned;
use crate::serve::failure::task_failure;

impl AsyncLink {
    /// Has the handler run a callback, which sends its result later.
    pub(super) fn run_callback(
        &self,
        handler: &Bound<'_, PyAny>,
        id: u64,
        number: u32,
        message: Delivered,
    ) -> PyResult<()> {
        let py = handler.py();
        let (unpacked, waiting) = {
            let calls = self.calls();
            let Some(entry) = calls.get(&id) else { return Ok(()) };
            let unpacked = entry.callbacks.unpack(py, self.client.bind(py), message);
            (unpacked, entry.callbacks.waiting.with(self.link.hello().instance))
        };
        match unpacked {
            Ok((function, arguments, keywords)) => {
                let waiting = WaitingServers::new(waiting.unwrap_or_default());
                let arguments = (id, number, waiting, function, arguments, keywords);
                handler.call_method1(interned!(py, "run_callback"), arguments).map(drop)
            }
            Err(error) => self.fail_callback(py, id, number, &error),
        }
    }

    pub(super) fn fail_callback(
        &self,
        py: Python<'_>,
        id: u64,
        number: u32,
        raised: &PyErr,
    ) -> PyResult<()> {
        let failure = task_failure(py, raised, None);
        self.answer_callback(py, id, number, Err(&failure))
    }

    pub(super) fn answer_callback(
        &self,
        py: Python<'_>,
        id: u64,
        number: u32,
        outcome: Result<Payload, &Failure>,
    ) -> PyResult<()> {
        let handle = self.calls().get(&id).map(|entry| entry.call.handle());
        let sent = handle.map_or(Ok(()), |handle| handle.queue_return(number, outcome));
        sent.map_err(|error| self.error(py, error))
    }
}

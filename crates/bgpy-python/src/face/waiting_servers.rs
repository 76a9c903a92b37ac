//! The servers that wait for a callback which runs in an event loop. A thread that runs a loop does many things at
//! once, so the task of the loop knows for whom it works, by a context variable.

use std::sync::atomic::{AtomicBool, Ordering};

use bgpy::{Chain, deadlock};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::once::Once;

/// The method `get` of the context variable, once a callback has run in a loop: it costs calls nothing before.
static GET: Once<Py<PyAny>> = Once::new();

/// The servers whose tasks wait for a callback.
#[pyclass(module = "bgpy._bgpy", frozen)]
pub struct WaitingServers {
    chain: Chain,
    /// Whether they wait no more. Tasks that the callback has created, and does not await, may go on.
    are_served: AtomicBool,
}

impl WaitingServers {
    pub fn new(chain: Chain) -> Self {
        Self { chain, are_served: AtomicBool::new(false) }
    }
}

#[pymethods]
impl WaitingServers {
    /// Note that the callback has ended.
    fn set_served(&self) {
        self.are_served.store(true, Ordering::Relaxed);
    }

    /// Call a function for which they wait.
    fn call<'py>(
        &self,
        function: &Bound<'py, PyAny>,
        arguments: &Bound<'py, PyTuple>,
        keywords: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        deadlock::waited_for(self.chain.clone(), || function.call(arguments, Some(keywords)))
    }
}

/// Have all calls ask which servers wait for what the task of a loop does.
#[pyfunction]
pub fn use_waiting_servers(py: Python<'_>, get: Py<PyAny>) {
    GET.get_or_init(py, || get);
}

/// The servers that wait for this task of a loop, or else for this thread.
pub fn chain(py: Python<'_>) -> PyResult<Chain> {
    let Some(get) = GET.get(py) else { return Ok(deadlock::chain()) };
    let found: Option<Bound<'_, WaitingServers>> = get.call0(py)?.extract(py)?;
    let found = found.filter(|waiting| !waiting.get().are_served.load(Ordering::Relaxed));
    Ok(found.map_or_else(deadlock::chain, |waiting| waiting.get().chain.clone()))
}

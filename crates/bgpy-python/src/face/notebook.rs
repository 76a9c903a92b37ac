//! Cells of a notebook that are run again: `python/bgpy/_notebook.py`.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::client::Client;
use super::server::Server;

/// The Python side, in a notebook only.
fn module(py: Python<'_>) -> PyResult<Option<Bound<'_, PyModule>>> {
    let is_kernel = py.import("sys")?.getattr("modules")?.contains("ipykernel")?;
    is_kernel.then(|| py.import("bgpy._notebook")).transpose()
}

/// Notes a server that this process has started.
pub fn note(server: &Bound<'_, Server>) -> PyResult<()> {
    match module(server.py())? {
        Some(notebook) => notebook.call_method1("note", (server,)).map(drop),
        None => Ok(()),
    }
}

/// Notes tasks that were sent to a server, which has taken them if they are its `first`. Otherwise the
/// server is started again if it is the notebook's own and has other tasks; returns whether it was.
pub fn renewed(client: &Client, tasks: &Bound<'_, PyTuple>, first: bool) -> PyResult<bool> {
    let py = tasks.py();
    let Some(notebook) = module(py)? else { return Ok(false) };
    let instance = client.link(py, None)?.hello().instance.to_string();
    notebook.call_method1("renewed", (instance, tasks, first))?.extract()
}

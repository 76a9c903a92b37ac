//! Cells of a notebook that are run again: `python/bgpy/_notebook.py`.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::client::Client;
use super::server::Server;

/// The Python side, in a notebook only.
fn module(py: Python<'_>) -> PyResult<Option<Bound<'_, PyModule>>> {
    let modules = py.import("sys")?.getattr("modules")?.cast_into::<PyDict>()?;
    let Some(ipython) = modules.get_item("IPython")? else { return Ok(None) };
    // A shell without a kernel is a prompt. A program that runs notebooks has `ipykernel`, but no shell.
    let is_kernel = ipython.call_method0("get_ipython")?.hasattr("kernel")?;
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

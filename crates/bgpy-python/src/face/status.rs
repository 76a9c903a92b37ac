//! The status of a server as a dict.

use bgpy::{Progress, Status};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The dict that `Client.status` returns.
pub fn status_dict<'py>(py: Python<'py>, status: &Status) -> PyResult<Bound<'py, PyDict>> {
    let Status {
        state,
        task,
        busy_s,
        queue,
        calls,
        clients,
        uptime_s,
        cpu_s,
        pid,
        rss_bytes,
        name,
        call,
        progress,
    } = status;
    let dict = PyDict::new(py);
    dict.set_item("state", state.as_str())?;
    dict.set_item("task", task)?;
    dict.set_item("busy_s", busy_s)?;
    dict.set_item("queue", queue)?;
    dict.set_item("calls", calls)?;
    dict.set_item("clients", clients)?;
    dict.set_item("uptime_s", uptime_s)?;
    dict.set_item("cpu_s", cpu_s)?;
    dict.set_item("pid", pid)?;
    dict.set_item("rss_bytes", rss_bytes)?;
    dict.set_item("name", name)?;
    dict.set_item("call", call)?;
    let progress = progress.as_ref().map(|progress| progress_dict(py, progress));
    dict.set_item("progress", progress.transpose()?)?;
    Ok(dict)
}

fn progress_dict<'py>(py: Python<'py>, progress: &Progress) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("done", progress.done)?;
    dict.set_item("total", progress.total)?;
    dict.set_item("text", progress.text.as_deref())?;
    Ok(dict)
}

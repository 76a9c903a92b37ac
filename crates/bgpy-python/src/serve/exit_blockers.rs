//! What keeps the interpreter from exiting: the threads and child processes that it joins at exit.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule};

/// Number of threads or children that are named.
const NAMED: usize = 3;

/// Number of characters of a name that are shown.
const NAME: usize = 60;

/// Describes the threads and children that the interpreter will wait for. Modules that are not imported have
/// none, and are not imported for this.
pub fn exit_blockers(py: Python<'_>) -> Option<String> {
    let threads = threads(py).ok().flatten();
    let children = children(py).ok().flatten();
    let found: Vec<_> = [threads, children].into_iter().flatten().collect();
    (!found.is_empty()).then(|| found.join(" and "))
}

fn imported<'py>(py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyModule>>> {
    let modules = PyModule::import(py, "sys")?.getattr("modules")?.cast_into::<PyDict>()?;
    Ok(modules.get_item(name)?.and_then(|module| module.cast_into().ok()))
}

fn threads(py: Python<'_>) -> PyResult<Option<String>> {
    let Some(threading) = imported(py, "threading")? else { return Ok(None) };
    let own: u64 = threading.call_method0("get_ident")?.extract()?;
    let mut names = Vec::new();
    for thread in threading.call_method0("enumerate")?.try_iter()? {
        let thread = thread?;
        let is_own = thread.getattr("ident")?.extract::<Option<u64>>()? == Some(own);
        if !is_own && !thread.getattr("daemon")?.extract::<bool>()? {
            names.push(quoted(&thread.getattr("name")?.extract::<String>()?));
        }
    }
    Ok(listed("the thread", "the threads", &names))
}

fn children(py: Python<'_>) -> PyResult<Option<String>> {
    let Some(processes) = imported(py, "multiprocessing.process")? else { return Ok(None) };
    let mut names = Vec::new();
    for child in processes.call_method0("active_children")?.try_iter()? {
        let child = child?;
        let name = quoted(&child.getattr("name")?.extract::<String>()?);
        names.push(format!("{} ({name})", child.getattr("pid")?));
    }
    Ok(listed("the child process", "the child processes", &names))
}

/// A name in quotes, with control characters escaped.
fn quoted(name: &str) -> String {
    format!("{:?}", name.chars().take(NAME).collect::<String>())
}

fn listed(one: &str, many: &str, names: &[String]) -> Option<String> {
    let more = names.len().saturating_sub(NAMED);
    let shown = names[..names.len() - more].join(", ");
    match (names.len(), more) {
        (0, _) => None,
        (1, _) => Some(format!("{one} {shown}")),
        (_, 0) => Some(format!("{many} {shown}")),
        (_, more) => Some(format!("{many} {shown} and {more} more")),
    }
}

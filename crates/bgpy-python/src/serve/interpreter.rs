//! Facts about the running interpreter that a server's process gets or needs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bgpy::config::Config;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use crate::exceptions::{Class, error};

/// The version of the running interpreter, as `3.11.7`.
pub fn python_version(py: Python<'_>) -> String {
    let version = py.version_info();
    format!("{}.{}.{}", version.major, version.minor, version.patch)
}

/// The path of the running interpreter.
pub fn this_interpreter(sys: &Bound<'_, PyModule>) -> PyResult<PathBuf> {
    let path: Option<PathBuf> = sys.getattr("executable")?.extract()?;
    path.filter(|path| !path.as_os_str().is_empty()).ok_or_else(|| {
        let text = "sys.executable is not set, so there is no interpreter to run the server with: \
                    pass python=...";
        error(sys.py(), Class::StartError, text)
    })
}

/// The entries of `sys.path` that are text; Python ignores any others.
pub fn search_path(sys: &Bound<'_, PyModule>) -> PyResult<Vec<OsString>> {
    let path = sys.getattr("path")?.cast_into::<PyList>()?;
    let places = path.iter().filter_map(|place| place.cast_into::<PyString>().ok());
    places.map(|place| place.extract()).collect()
}

/// Appends to `sys.path` the directory of the tasks file, as for a script, and then the parent's search path.
/// Appended, because no file there may hide a module of Python or of a package.
pub fn extend_search_path(py: Python<'_>, config: &Config) -> PyResult<()> {
    let tasks = config.init_file.as_deref().map(std::path::absolute).transpose()?;
    let beside = tasks.as_deref().and_then(Path::parent).map(Path::as_os_str);
    let path = py.import("sys")?.getattr("path")?;
    for place in beside.into_iter().chain(config.search_path.iter().map(OsString::as_os_str)) {
        if !path.contains(place)? {
            path.call_method1("append", (place,))?;
        }
    }
    Ok(())
}

/// An exit status in Python's form: the exit code, or the negative number of the signal.
pub fn python_exit_code(status: std::process::ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Some(-signal);
    }
    status.code()
}

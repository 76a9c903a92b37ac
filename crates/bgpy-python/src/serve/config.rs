//! Values of a [`Config`](bgpy::config::Config), checked, and the log that it asks for.

use std::path::PathBuf;

use bgpy::address::Address;
use bgpy::log::{Level, Log};
use pyo3::prelude::*;

use crate::exceptions::config_error;

/// Host and port. Only a server may have port 0, which picks a free one.
pub fn address(py: Python<'_>, host: &str, port: i64, free_port: bool) -> PyResult<Address> {
    if host.is_empty() || host.contains('\0') {
        return Err(config_error(
            py,
            format!("host={host:?} is not valid: pass a host name or an IP address"),
        ));
    }
    let lowest = u16::from(!free_port);
    match u16::try_from(port) {
        Ok(port) if port >= lowest => Ok(Address::new(host, port)),
        _ => Err(config_error(py, format!("port {port} is not between {lowest} and 65535"))),
    }
}

/// A log level by name.
pub fn level(py: Python<'_>, name: &str) -> PyResult<Level> {
    name.parse().map_err(|error: String| config_error(py, error))
}

/// Opens the log: the file, or what `without_file` makes if there is none.
pub fn log(
    py: Python<'_>,
    level_name: &str,
    file: Option<&PathBuf>,
    without_file: impl FnOnce(Level) -> Log,
) -> PyResult<Log> {
    let level = level(py, level_name)?;
    let Some(path) = file else { return Ok(without_file(level)) };
    Log::file(level, path).map_err(|error| {
        config_error(py, format!("cannot write the log file '{}': {error}", path.display()))
    })
}

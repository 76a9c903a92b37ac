//! `Server.run`: a server in this process.

use bgpy::server::Supervised;
use bgpy::{Log, Restart};
use pyo3::prelude::*;

use super::errors::{in_good_order, serve_error};
use super::server::Server;
use crate::exceptions::config_error;
use crate::serve::config::log;
use crate::serve::run::{Hosting, serve};

#[pymethods]
impl Server {
    /// Run the server in this process until a client terminates it or a signal stops it.
    ///
    /// When this method returns, the server has shut down; the calling process continues.
    ///
    /// On the main thread, it handles SIGTERM and SIGINT (Ctrl-C): the running task finishes, waiting
    /// calls get an error, and `exit_task` runs. A second signal interrupts the running task.
    ///
    /// Raises
    /// ------
    /// AddressInUse, StartError, ConfigError
    ///     As for `run_background`.
    /// RemoteError
    ///     If `exit_task` raised.
    /// BgpyError
    ///     If the server cannot continue, for example because a task closed its sockets.
    fn run(&self, py: Python<'_>) -> PyResult<()> {
        self.serve(py, None)
    }

    /// Run the server in this process, with the object that `factory` makes.
    fn _serve(&self, py: Python<'_>, factory: Py<PyAny>) -> PyResult<()> {
        self.serve(py, Some(factory))
    }
}

impl Server {
    fn serve(&self, py: Python<'_>, factory: Option<Py<PyAny>>) -> PyResult<()> {
        if self.config.restart != Restart::Never {
            let text =
                "run() cannot restart a server: use run_background(), or the command bgpy run";
            return Err(config_error(py, text));
        }
        let file = self.config.log_file.as_ref();
        let log = log(py, &self.config.log_level, file, Log::stderr)?;
        let hosting = Hosting { factory, ..Hosting::default() };
        serve(py, &self.config, log, None, Supervised::default(), hosting)?
            .map_err(|error| serve_error(py, &error))
            .and_then(|ended| in_good_order(py, ended))
    }
}

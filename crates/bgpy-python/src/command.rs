//! The command line, inside an interpreter.

use std::ffi::OsString;

use bgpy::spawn::Config;
use bgpy::{Ended, Journal};
use bgpy_cli::Interpreter;
use pyo3::prelude::*;

use crate::server::serve;

/// Run the command `bgpy`.
///
/// Parameters
/// ----------
/// arguments : list of str
///     Program name and arguments, as in ``sys.argv``.
///
/// Returns
/// -------
/// int
///     The exit code.
#[pyfunction]
pub fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| bgpy_cli::run(arguments, &ThisInterpreter))
}

/// The interpreter that this code runs in.
struct ThisInterpreter;

impl Interpreter for ThisInterpreter {
    fn serve(&self, config: Config) -> u8 {
        Python::attach(|py| {
            let level = config.log_level.parse().unwrap_or(bgpy::Level::Info);
            let journal = match &config.log_file {
                None => Ok(Journal::stderr(level)),
                Some(path) => Journal::file(level, path),
            };
            let outcome = journal.map_err(PyErr::from).and_then(|j| serve(py, &config, j, None));
            match outcome {
                Ok(Ended::Orderly) => 0,
                Ok(Ended::Start(_) | Ended::ExitTask(_)) => 1,
                Err(error) => {
                    eprintln!("error: {}", error.value(py));
                    1
                }
            }
        })
    }

    fn interrupted(&self) -> bool {
        Python::attach(|py| py.check_signals().is_err())
    }
}

//! The command line `bgpy`, run by the interpreter that it is installed for.

use std::ffi::OsString;
use std::path::PathBuf;

use bgpy::config::Config;
use bgpy::server::Supervised;
use bgpy::{Delivered, Ended, Log};
use bgpy_cli::{Exit, Interpreter, Notation};
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;

use super::show;
use crate::serve::config::log;
use crate::serve::dispositions::{TERMINAL_SIGNALS, take_default_signals};
use crate::serve::forked::exit_code_for;
use crate::serve::interpreter::this_interpreter;
use crate::serve::output;
use crate::serve::run::serve;

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
            let failed = |error: PyErr| bgpy_cli::error(error.value(py), Exit::Failed).code();
            if let Err(error) = take_default_signals(py, &TERMINAL_SIGNALS) {
                return failed(error);
            }
            let file = config.log_file.as_ref();
            let log = match log(py, &config.log_level, file, Log::stderr) {
                Ok(log) => log,
                Err(error) => return failed(error),
            };
            if let Err(error) = output::prepare(py, &log) {
                return failed(error);
            }
            let exit = match serve(py, &config, log, None, Supervised::default(), true) {
                Ok(Ok(Ended::Orderly)) => Exit::Done,
                Ok(Ok(Ended::Start(failure))) => bgpy_cli::error(
                    format_args!("the tasks could not be started: {failure}"),
                    Exit::Failed,
                ),
                Ok(Ok(Ended::ExitTask(failure))) => {
                    bgpy_cli::error(format_args!("exit_task failed: {failure}"), Exit::Failed)
                }
                Ok(Ok(Ended::Failed(reason))) => bgpy_cli::error(reason, Exit::Failed),
                Ok(Err(error)) => bgpy_cli::error(&error, Exit::from(&error)),
                Err(error) if error.is_instance_of::<PySystemExit>(py) => {
                    return exit_code_for(py, &error) as u8;
                }
                Err(error) => bgpy_cli::error(error.value(py), Exit::Failed),
            };
            exit.code()
        })
    }

    fn set_environment(&self, variables: &[(String, String)]) {
        Python::attach(|py| {
            let environ = py.import("os").and_then(|os| os.getattr("environ"));
            let set = |environ: Bound<'_, PyAny>| {
                variables.iter().try_for_each(|(name, value)| environ.set_item(name, value))
            };
            if let Err(error) = environ.and_then(set) {
                error.write_unraisable(py, None);
            }
        });
    }

    fn program(&self) -> Result<PathBuf, String> {
        Python::attach(|py| {
            let program = py.import("sys").and_then(|sys| this_interpreter(&sys));
            program.map_err(|error| error.value(py).to_string())
        })
    }

    fn show(
        &self,
        message: Delivered,
        notation: Notation,
        allow_pickle: bool,
    ) -> Result<String, String> {
        Python::attach(|py| {
            let shown = show::text(py, message, notation, allow_pickle);
            shown.map_err(|error| error.value(py).to_string())
        })
    }

    fn interrupted(&self) -> bool {
        Python::attach(|py| py.check_signals().is_err())
    }
}

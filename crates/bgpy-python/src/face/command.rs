//! The command line `bgpy`, run by the interpreter that it is installed for.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::SystemTime;

use bgpy::config::Config;
use bgpy::server::Supervised;
use bgpy::{Delivered, Ended, Log, ServeError, start};
use bgpy_cli::{Exit, Interpreter, Notation};
use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::prelude::*;

use super::show;
use crate::serve::config::log;
use crate::serve::dispositions::{TERMINAL_SIGNALS, take_default_signals};
use crate::serve::forked::exit_code_for;
use crate::serve::interpreter::this_interpreter;
use crate::serve::output;
use crate::serve::run::{Hosting, serve};
use crate::serve::watching::{Plan, this_command, wait_for_change};

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

/// What a server starts, in words.
fn what(config: &Config) -> &str {
    config.init_object.as_deref().unwrap_or("the tasks")
}

/// Starts a server again whose files have changed, or change after a failed start. Returns only if that is
/// not to be, or with the reason why it cannot be.
fn again(
    py: Python<'_>,
    config: &Config,
    since: SystemTime,
    plan: &Plan,
    ended: &PyResult<Result<Ended, ServeError>>,
) -> Option<PyErr> {
    let then = std::mem::take(&mut *plan.lock().unwrap_or_else(PoisonError::into_inner));
    match ended {
        Ok(Ok(Ended::Orderly | Ended::ExitTask(_))) if then.again => {}
        Ok(Ok(Ended::Start(failure))) => {
            let what = what(config);
            let text = format_args!(
                "{what} could not be started: {failure}; waiting for a change of the files"
            );
            // Before it is told, so that nobody who hears of it takes the process for the server's.
            start::again::note_ends();
            bgpy_cli::error(text, Exit::Failed);
            if let Err(error) = wait_for_change(py, config, since) {
                return Some(error);
            }
        }
        _ => return None,
    }
    let flush = |stream| py.import("sys")?.getattr(stream)?.call_method0("flush").map(drop);
    // What cannot be written is lost with or without a word about it.
    for stream in ["stdout", "stderr"] {
        drop::<PyResult<()>>(flush(stream));
    }
    Some(match this_command(py) {
        Ok(command) => start::again::exec(command, then.claim.as_ref(), then.port).into(),
        Err(error) => error,
    })
}

/// The interpreter that this code runs in.
struct ThisInterpreter;

impl Interpreter for ThisInterpreter {
    fn serve(&self, mut config: Config) -> u8 {
        if config.watch && config.port == 0 {
            let is_free = |port: &u16| TcpListener::bind((config.host.as_str(), *port)).is_ok();
            config.port = start::again::port_before().filter(is_free).unwrap_or_default();
        }
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
            let (plan, since) = (config.watch.then(Plan::default), SystemTime::now());
            let hosting = Hosting { owns_process: true, plan: plan.clone(), factory: None };
            let ended = serve(py, &config, log, None, Supervised::default(), hosting);
            if let Some(plan) = plan
                && let Some(again) = again(py, &config, since, &plan, &ended)
            {
                if again.is_instance_of::<PyKeyboardInterrupt>(py) {
                    return Exit::Interrupted.code();
                }
                return failed(again);
            }
            let exit = match ended {
                Ok(Ok(Ended::Orderly)) => Exit::Done,
                Ok(Ok(Ended::Start(failure))) => bgpy_cli::error(
                    format_args!("{} could not be started: {failure}", what(&config)),
                    Exit::Failed,
                ),
                Ok(Ok(Ended::ExitTask(failure))) => {
                    bgpy_cli::error(format_args!("exit_task failed: {failure}"), Exit::Failed)
                }
                Ok(Ok(Ended::Failed(reason))) => bgpy_cli::error(reason, Exit::Failed),
                Ok(Err(error)) => {
                    bgpy_cli::error(bgpy_cli::serve_error(&error), Exit::from(&error))
                }
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

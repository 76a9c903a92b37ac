//! Runs a server on the thread that calls.

use bgpy::server::Stopper;
use bgpy::spawn::{Config, Report, Reporter};
use bgpy::supervisor::Supervised;
use bgpy::{Ended, Journal, ServeError, ServerOptions, Token};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

use crate::arguments::address;
use crate::client::python_version;
use crate::decode::Policy;
use crate::executor::PythonExecutor;
use crate::signals::Handlers;
use crate::tasks::Origin;

/// Listens and runs calls on this thread until the end of the server, with which the process ends if it
/// is there for the server alone.
pub fn serve(
    py: Python<'_>,
    config: &Config,
    journal: Journal,
    reporter: Option<Reporter>,
    mut supervised: Supervised,
    owns_process: bool,
) -> PyResult<Result<Ended, ServeError>> {
    let options = ServerOptions {
        token: config.token.as_deref().map(Token::new),
        auth: config.auth,
        allow_weak_token: config.allow_weak_token,
        python: Some(python_version(py)),
        message_bytes_max: config.message_bytes_max,
        allow_pickle: config.allow_pickle,
        instance: config.id(),
        name: config.name.clone(),
        unused_max: config.idle_timeout(),
        owns_process,
        config: Some(config.clone()),
        journal: journal.clone(),
        ..ServerOptions::default()
    };
    let place = address(py, &config.host, i64::from(config.port), true)?;
    let tasks = supervised.tasks.take();
    let bound = py.detach(|| bgpy::Server::bind_supervised(&place, options, supervised));
    let server = match bound {
        Ok(server) => server,
        Err(error) => {
            journal.critical(&error);
            if let Some(mut reporter) = reporter {
                reporter.report(&Report::failed(&error));
            }
            return Ok(Err(error));
        }
    };
    let ready = Report::Ready { pid: std::process::id(), address: server.address() };
    let mut executor = PythonExecutor {
        policy: Policy::from(config),
        origin: Origin::of(config),
        first: tasks,
        journal,
        reporter: reporter.map(|reporter| (reporter, ready)),
        served: None,
    };
    close_sockets_in_children(py, server.stopper())?;
    let handlers = Handlers::install(py, server.stopper(), server.signals())?;
    let ended = py.detach(|| server.run(&mut executor));
    if let Some(handlers) = handlers {
        handlers.remove(py)?;
    }
    Ok(Ok(ended))
}

/// Lets processes that a task forks leave the server's sockets alone.
fn close_sockets_in_children(py: Python<'_>, stopper: Stopper) -> PyResult<()> {
    // Where there is no fork, there is no such function.
    let Ok(register) = py.import("os")?.getattr("register_at_fork") else { return Ok(()) };
    let close = PyCFunction::new_closure(
        py,
        Some(c"bgpy_close_sockets"),
        None,
        move |_: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| stopper.abandon_in_child(),
    )?;
    let keywords = PyDict::new(py);
    keywords.set_item("after_in_child", close)?;
    register.call((), Some(&keywords)).map(drop)
}

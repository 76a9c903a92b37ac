//! Runs a server on the thread that calls.

use bgpy::config::Config;
use bgpy::launch::{Report, Reporter};
use bgpy::server::Supervised;
use bgpy::{Ended, Journal, ServeError, ServerOptions, Token};
use pyo3::prelude::*;

use crate::arguments::address;
use crate::background::extend_search_path;
use crate::client::python_version;
use crate::decode::Policy;
use crate::executor::PythonExecutor;
use crate::forked::Home;
use crate::signals::Handlers;
use crate::tasks::Origin;

/// Listens and runs calls on this thread until the end of the server, with which the process ends if it
/// is there for the server alone.
///
/// # Errors
/// The SystemExit with which a signal handler has ended the server, in good order, or what Python raises.
pub fn serve(
    py: Python<'_>,
    config: &Config,
    journal: Journal,
    reporter: Option<Reporter>,
    mut supervised: Supervised,
    owns_process: bool,
) -> PyResult<Result<Ended, ServeError>> {
    extend_search_path(py, config)?;
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
        home: Home::here(),
        policy: Policy::from(config),
        origin: Origin::of(config),
        first: tasks,
        journal,
        reporter: reporter.map(|reporter| (reporter, ready)),
        served: None,
        stopper: server.stopper(),
        exit: None,
    };
    let handlers = Handlers::install(py, server.stopper(), server.signals())?;
    let ended = py.detach(|| server.run(&mut executor));
    if let Some(handlers) = handlers {
        handlers.remove(py)?;
    }
    // Tasks that do not start have been reported, with their traceback; this is all else.
    if let (Ended::Start(failure), Some((mut reporter, _))) = (&ended, executor.reporter.take()) {
        reporter.report(&Report::Failed { kind: "start".into(), message: failure.to_string() });
    }
    executor.exit.map_or(Ok(Ok(ended)), Err)
}

//! Runs a server on the calling thread.

use std::sync::Arc;

use bgpy::bootstrap::{Report, StartReporter};
use bgpy::config::Config;
use bgpy::error::FailureKind;
use bgpy::server::Supervised;
use bgpy::start::again;
use bgpy::{Ended, Log, ServeError, ServerOptions, Token};
use pyo3::prelude::*;

use super::config::address;
use super::debugger::{About, PythonDebugger};
use super::executor::PythonExecutor;
use super::forked::ServerProcess;
use super::interpreter::{extend_search_path, python_version};
use super::serving::ServingThread;
use super::shown::Shown;
use super::signals::{GRACE, Handlers};
use super::source::{Origin, Source};
use super::watching::{Plan, Watching};
use crate::codec::decode::Policy;

/// What a server's process is to it.
#[derive(Default)]
pub struct Hosting {
    /// Whether the process exists for this server alone and exits after it.
    pub owns_process: bool,
    /// Where a server that watches its files, and stops after a change, notes that it is to start again.
    pub plan: Option<Plan>,
    /// What makes its object, if that is neither in a file nor sent by a client.
    pub factory: Option<Py<PyAny>>,
}

/// Listens, and runs calls on this thread, until the server ends.
///
/// # Errors
/// The SystemExit of a signal handler that stopped the server, in good order, or another Python exception.
pub fn serve(
    py: Python<'_>,
    config: &Config,
    log: Log,
    reporter: Option<StartReporter>,
    mut supervised: Supervised,
    hosting: Hosting,
) -> PyResult<Result<Ended, ServeError>> {
    extend_search_path(py, config)?;
    let options = options(py, config, &log, &hosting);
    let Hosting { owns_process, plan, factory } = hosting;
    let instance = options.instance;
    let listens_at = address(py, &config.host, i64::from(config.port), true)?;
    let tasks = supervised.tasks.take();
    let bound = py.detach(|| bgpy::Server::bind_supervised(&listens_at, options, supervised));
    let server = match bound {
        Ok(server) => server,
        Err(error) => {
            log.critical(&error);
            if let Some(mut reporter) = reporter {
                reporter.report(&Report::failed(&error));
            }
            return Ok(Err(error));
        }
    };
    let ready = Report::Ready { pid: std::process::id(), address: server.address() };
    let watching =
        config.watch.then(|| Watching::new(py, config, &server, &log, plan)).transpose()?;
    let shown = Shown::default();
    let name = config.name.as_ref().map(ToString::to_string);
    let target = name.unwrap_or_else(|| server.address().to_string());
    let serving = ServingThread::note(py, instance, target.clone())?;
    let debugger = PythonDebugger::install(About {
        target,
        log: log.clone(),
        shown: shown.clone(),
        allow_pickle: config.allow_pickle,
        python: py,
    })?;
    let debugger = Arc::new(debugger);
    let mut executor = PythonExecutor {
        server_process: ServerProcess::this(),
        policy: Policy::from(config),
        origin: factory.map(Origin::Here).or_else(|| Source::of(config).map(Origin::Source)),
        first: tasks,
        log,
        reporter: reporter.map(|reporter| (reporter, ready)),
        program: None,
        shown,
        debugger: debugger.clone(),
        stopper: server.stopper(),
        exit: None,
        can_interrupt: false,
        watching,
        claim: config.name.as_ref().filter(|_| config.watch).and_then(again::handed_on),
    };
    if config.watch {
        remove_own_variables(py)?;
    }
    let handlers =
        Handlers::install(py, server.stopper(), server.signals(), server.cancellation())?;
    executor.can_interrupt = handlers.as_ref().is_some_and(|handlers| handlers.can_cancel);
    if owns_process {
        server.stopper().stop_on_request(GRACE);
    }
    let ended = py.detach(|| server.run(&mut executor));
    drop(serving);
    debugger.remove(py)?;
    if let Some(handlers) = handlers {
        handlers.remove(py)?;
    }
    // If the tasks failed to start, that is already reported, with the traceback; this is any other reason.
    if let (Ended::Start(failure), Some((mut reporter, _))) = (&ended, executor.reporter.take()) {
        let (kind, message) = (FailureKind::Other, failure.to_string());
        reporter.report(&Report::Failed { kind, message });
    }
    executor.exit.map_or(Ok(Ok(ended)), Err)
}

/// The options of a server with this configuration.
fn options(py: Python<'_>, config: &Config, log: &Log, hosting: &Hosting) -> ServerOptions {
    let mut kept = config.clone();
    if hosting.plan.is_some() {
        // It was not started in the background.
        kept.launch = None;
    }
    ServerOptions {
        token: config.token.as_deref().map(Token::new),
        auth: config.auth,
        allow_weak_token: config.allow_weak_token,
        python: Some(python_version(py)),
        message_bytes_max: config.message_bytes_max,
        allow_pickle: config.allow_pickle,
        instance: config.id(),
        name: config.name.clone(),
        idle_timeout: config.idle_timeout(),
        threads: config.threads(),
        owns_process: hosting.owns_process,
        config: Some(kept),
        log: log.clone(),
        ..ServerOptions::default()
    }
}

/// Removes the environment variables by which a server that watches its files is started again: they are not for
/// the processes that tasks start.
fn remove_own_variables(py: Python<'_>) -> PyResult<()> {
    let environ = py.import("os")?.getattr("environ")?;
    for name in again::VARIABLES {
        environ.call_method1("pop", (name, py.None()))?;
    }
    Ok(())
}

//! The Python implementation of [`bgpy::Executor`]: it decodes calls, runs them in a [`Program`], and reports
//! what they raise.

use std::sync::Arc;

use bgpy::bootstrap::{Report, StartReporter};
use bgpy::durable::{FirstTasks, Staged};
use bgpy::error::FailureKind;
use bgpy::registry::Claim;
use bgpy::server::{Bell, Debugger, Interrupter, Pace, Reader, Stopper, ThreadInterrupter};
use bgpy::{Delivered, Executor, Failure, FailureCode, Log, MethodsReply, Reply};
use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::prelude::*;

use super::debugger::PythonDebugger;
use super::exit_blockers::exit_blockers;
use super::failure::{task_failure, traceback};
use super::forked::ServerProcess;
use super::interpreter::this_interpreter;
use super::program::{self, Program};
use super::shown::Shown;
use super::signals::GRACE;
use super::source::Origin;
use super::watching::Watching;
use super::within_call::{receive, run};
use crate::codec::decode::Policy;
use crate::codec::pickle;
use crate::codec::text::text;

/// Runs the calls of a server.
pub struct PythonExecutor {
    /// The server's process, as opposed to children that tasks fork.
    pub server_process: ServerProcess,
    pub policy: Policy,
    /// Where the program comes from, unless a client sends it.
    pub origin: Option<Origin>,
    /// The first client's program, kept for the server's next process.
    pub first: Option<FirstTasks>,
    pub log: Log,
    /// The process to tell when the server is ready, and the report.
    pub reporter: Option<(StartReporter, Report)>,
    /// The program, once it has started.
    pub program: Option<Box<dyn Program>>,
    /// What the debugger shows of it.
    pub shown: Shown,
    pub debugger: Arc<PythonDebugger>,
    /// Stops the server.
    pub stopper: Stopper,
    /// The SystemExit with which a signal handler stopped the server.
    pub exit: Option<PyErr>,
    /// Whether this thread has the handler by which calls are cancelled.
    pub can_interrupt: bool,
    /// Starts the server again when the files of its tasks change.
    pub watching: Option<Watching>,
    /// Lets clients wait until the server is ready.
    pub claim: Option<Claim>,
}

impl PythonExecutor {
    fn program(&mut self) -> Result<&mut Box<dyn Program>, Failure> {
        // The reactor runs calls only after a successful start or init.
        self.program
            .as_mut()
            .ok_or_else(|| Failure::new(FailureCode::NotInitialized, "the server has no tasks yet"))
    }
}

impl Executor for PythonExecutor {
    fn start(&mut self) -> Result<bool, Failure> {
        let first = self.first.as_ref().map(FirstTasks::read).transpose();
        let first = first.unwrap_or_else(|error| {
            self.log.error(format_args!("cannot read the kept tasks of the first client: {error}"));
            None
        });
        let kept = first.flatten().map(|message| Origin::Client(message.into()));
        let Some(origin) = self.origin.take().or(kept) else {
            return Ok(false);
        };
        let what = origin.what().to_owned();
        self.log.info(format_args!("taking {what} from {origin}"));
        let place = origin.to_string();
        let (policy, server_process, shown) = (self.policy, self.server_process, &self.shown);
        let started = Python::attach(|py| {
            server_process
                .run(py, || program::load(py, origin, policy, shown))
                .map_err(|error| task_failure(py, &error, None))
        });
        match started {
            Ok(program) => self.program = Some(program),
            Err(failure) => {
                let (kind, message) = start_failed(&what, &place, &failure);
                let has_changed = |it: &Watching| it.awaits_change(&message, &self.stopper);
                let kind = match self.watching.as_ref().is_some_and(has_changed) {
                    true => FailureKind::Changed,
                    false => kind,
                };
                if let Some((mut reporter, _)) = self.reporter.take() {
                    reporter.report(&Report::Failed { kind, message });
                }
                return Err(failure);
            }
        }
        Ok(true)
    }

    fn ready(&mut self) {
        if let Some(claim) = self.claim.take() {
            claim.release();
        }
        if let Some(watching) = self.watching.take() {
            watching.begin();
        }
        if let Some((mut reporter, report)) = self.reporter.take() {
            reporter.report(&report);
        }
        if self.program.is_none() {
            // Meanwhile, the client learns that the server is ready and pickles its tasks.
            Python::attach(pickle::prepare_loads);
        }
        Python::attach(|py| self.debugger.ready(py));
    }

    fn init(&mut self, message: Delivered, reply: &Reply) -> Result<(), Failure> {
        let staged = self.first.as_ref().map(|first| first.stage(&message)).transpose();
        let (server_process, shown) = (self.server_process, &self.shown);
        let program = Python::attach(|py| {
            pickle::forget_tasks(py);
            let message = receive(py, program::ROOT, message, self.policy, server_process, reply)?;
            run(py, server_process, reply, || program::receive(&message, reply, shown))
        })?;
        self.program = Some(program);
        if let Err(error) = staged.and_then(|staged| staged.map_or(Ok(()), Staged::commit)) {
            self.log.error(format_args!(
                "cannot keep the tasks for a restart: {error}. A restarted server will have none"
            ));
        }
        Ok(())
    }

    fn methods(&mut self) -> MethodsReply {
        let none = || MethodsReply::Refused { error: "the server has no tasks yet".into() };
        self.program.as_ref().map_or_else(none, |program| program.methods())
    }

    fn exec(&mut self, message: Delivered, reply: &Reply) -> Result<Pace, Failure> {
        let (policy, server_process) = (self.policy, self.server_process);
        let program = self.program()?;
        Python::attach(|py| {
            let arguments = receive(py, "args", message, policy, server_process, reply)?;
            run(py, server_process, reply, || program.call(py, reply, arguments))
        })
    }

    fn exit(&mut self, message: Option<Delivered>, reply: &Reply) -> Result<(), Failure> {
        let (policy, server_process) = (self.policy, self.server_process);
        let program = self.program()?;
        Python::attach(|py| {
            let decoded =
                |message| receive(py, "exit_args", message, policy, server_process, reply);
            let arguments = message.map(decoded).transpose()?;
            run(py, server_process, reply, || program.exit(py, reply, arguments))
        })
    }

    fn drive(&mut self, waits: bool) -> bool {
        let (server_process, log) = (self.server_process, &self.log);
        let Some(program) = &mut self.program else { return false };
        Python::attach(|py| {
            let driven = server_process.run(py, || program.drive(py, waits));
            driven.unwrap_or_else(|error| {
                let told = traceback(py, &error).unwrap_or_else(|_| text(error.value(py)));
                log.error(format_args!("the event loop was interrupted\n{told}"));
                true
            })
        })
    }

    fn bell(&mut self) -> Option<Arc<dyn Bell>> {
        self.program.as_ref()?.bell()
    }

    fn abandon(&mut self) {
        let Some(program) = &mut self.program else { return };
        Python::attach(|py| {
            if let Err(error) = program.abandon(py) {
                error.write_unraisable(py, None);
            }
        });
    }

    fn reader(&mut self) -> Option<Arc<dyn Reader>> {
        self.program.as_ref()?.reader(self.policy)
    }

    fn debugger(&mut self) -> Option<Arc<dyn Debugger>> {
        Some(self.debugger.clone())
    }

    fn interrupter(&mut self) -> Option<Arc<dyn Interrupter>> {
        self.can_interrupt.then(|| Arc::new(ThreadInterrupter::here()) as Arc<dyn Interrupter>)
    }

    fn remains(&mut self) -> Option<String> {
        Python::attach(exit_blockers)
    }

    fn signalled(&mut self) {
        let server_process = self.server_process;
        Python::attach(|py| {
            let Err(error) = server_process.run(py, || py.check_signals()) else { return };
            // Between two calls, there is no task that an exception of a handler could interrupt.
            let is_exit = error.is_instance_of::<PySystemExit>(py);
            if is_exit || error.is_instance_of::<PyKeyboardInterrupt>(py) {
                self.exit = self.exit.take().or_else(|| is_exit.then_some(error));
                py.detach(|| self.stopper.stop(GRACE));
                return;
            }
            let told = traceback(py, &error).unwrap_or_else(|_| text(error.value(py)));
            self.log.error(format_args!("a signal handler raised an exception\n{told}"));
        });
    }
}

/// Says that the object or tasks failed to start, and why.
fn start_failed(what: &str, origin: &str, failure: &Failure) -> (FailureKind, String) {
    // The last line of a traceback is the exception.
    let mut told = match &failure.traceback {
        Some(traceback) => format!("\n\n{}", traceback.trim_end()),
        None => format!(" {failure}"),
    };
    let exception = told.lines().last().unwrap_or_default();
    let mut kind = FailureKind::Other;
    if ["ModuleNotFoundError:", "ImportError:"].iter().any(|kind| exception.starts_with(kind))
        && let Ok(python) =
            Python::attach(|py| py.import("sys").and_then(|sys| this_interpreter(&sys)))
    {
        // What is missing may be installed for another one.
        let python = python.display();
        told += &format!("\n\nThe interpreter was '{python}'");
        kind = FailureKind::Import;
    }
    (kind, format!("{what} in {origin} could not be started:{told}"))
}

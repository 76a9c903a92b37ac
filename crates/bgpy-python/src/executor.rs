//! Runs the tasks of a Python server: the Python implementation of [`bgpy::Executor`].

use bgpy::journal::{INITIALISED, TAKING};
use bgpy::server::Stopper;
use bgpy::spawn::{Report, Reporter};
use bgpy::supervisor::{FirstTasks, Staged};
use bgpy::{Delivered, Executor, Failure, FailureCode, Journal, Reply};
use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTraceback};

use crate::decode::{Policy, decode};
use crate::encode::{Receiver, encode_exception};
use crate::forked::Home;
use crate::made::{is_memory_error, is_no_exception};
use crate::pickle;
use crate::remains;
use crate::signals::GRACE;
use crate::tasks::{Origin, Tasks};
use crate::text::{text, words};

/// The state of a Python server between its calls.
pub struct PythonExecutor {
    /// The server's process, which children that tasks fork are not.
    pub home: Home,
    pub policy: Policy,
    /// Where the tasks come from, if not from a client.
    pub origin: Option<Origin>,
    /// Where the tasks of a client are kept for the server's next process.
    pub first: Option<FirstTasks>,
    pub journal: Journal,
    /// Who is told when the server is ready, and what.
    pub reporter: Option<(Reporter, Report)>,
    pub served: Option<Served>,
    /// Ends the server.
    pub stopper: Stopper,
    /// The SystemExit by which a signal handler has ended it.
    pub exit: Option<PyErr>,
}

/// Tasks and the state that they work on.
pub struct Served {
    tasks: Tasks,
    state: Py<PyDict>,
}

impl PythonExecutor {
    fn served(&mut self) -> Result<&mut Served, Failure> {
        // The reactor asks for tasks only after a successful init.
        self.served
            .as_mut()
            .ok_or_else(|| Failure::new(FailureCode::NotInitialized, "the server has no tasks yet"))
    }
}

impl Executor for PythonExecutor {
    fn start(&mut self) -> Result<bool, Failure> {
        let first = self.first.as_ref().map(FirstTasks::read).transpose();
        let first = first.unwrap_or_else(|error| {
            self.journal
                .error(format_args!("cannot read the kept tasks of the first client: {error}"));
            None
        });
        let kept = first.flatten().map(|message| Origin::Client(message.into()));
        let Some(origin) = self.origin.take().or(kept) else { return Ok(false) };
        self.journal.info(format_args!("{TAKING}{origin}"));
        let place = origin.to_string();
        let (policy, home) = (self.policy, self.home);
        let outcome = Python::attach(|py| {
            let served = || {
                let tasks = Tasks::from_origin(py, origin, policy)?;
                let state = tasks.init(py, None)?;
                Ok(Served { tasks, state })
            };
            home.run(py, served).map_err(|error| task_failure(py, &error, None))
        });
        match outcome {
            Ok(served) => self.served = Some(served),
            Err(failure) => {
                if let Some((mut reporter, _)) = self.reporter.take() {
                    reporter.report(&start_failed(&place, &failure));
                }
                return Err(failure);
            }
        }
        Ok(true)
    }

    fn ready(&mut self) {
        if let Some((mut reporter, report)) = self.reporter.take() {
            reporter.report(&report);
        }
        if self.served.is_none() {
            // Meanwhile, the client learns that the server is ready and pickles its tasks.
            Python::attach(pickle::prepare_loads);
        }
    }

    fn init(&mut self, message: Delivered, reply: &Reply) -> Result<(), Failure> {
        let staged = self.first.as_ref().map(|first| first.stage(&message)).transpose();
        let home = self.home;
        let served = Python::attach(|py| {
            pickle::forget_tasks(py);
            let message = receive(py, "tasks", message, self.policy, home, reply)?;
            let served = || {
                let tasks = Tasks::from_message(&message)?;
                let state = tasks.init(py, Some(reply))?;
                Ok(Served { tasks, state })
            };
            home.run(py, served).map_err(|error| task_failure(py, &error, Some(reply)))
        })?;
        self.served = Some(served);
        if let Err(error) = staged.and_then(|staged| staged.map_or(Ok(()), Staged::commit)) {
            self.journal.error(format_args!(
                "cannot keep the tasks for a restart: {error}. A restarted server will have none"
            ));
        }
        self.journal.info(INITIALISED);
        Ok(())
    }

    fn exec(&mut self, message: Delivered, reply: &Reply) -> Result<(), Failure> {
        let (policy, home) = (self.policy, self.home);
        let Served { tasks, state } = self.served()?;
        Python::attach(|py| {
            let arguments = receive(py, "args", message, policy, home, reply)?;
            let outcome = home.run(py, || tasks.exec(py, reply, state, arguments));
            if let Some(next) = outcome.map_err(|error| task_failure(py, &error, Some(reply)))? {
                *state = next;
            }
            Ok(())
        })
    }

    fn exit(&mut self, message: Option<Delivered>, reply: &Reply) -> Result<(), Failure> {
        let (policy, home) = (self.policy, self.home);
        let Served { tasks, state } = self.served()?;
        Python::attach(|py| {
            let arguments = match message {
                Some(message) => receive(py, "exit_args", message, policy, home, reply)?,
                None => PyDict::new(py).into_any(),
            };
            let outcome = home.run(py, || tasks.exit(py, reply, state, arguments));
            outcome.map_err(|error| task_failure(py, &error, Some(reply)))
        })
    }

    fn remains(&mut self) -> Option<String> {
        Python::attach(remains::remains)
    }

    fn signalled(&mut self) {
        let home = self.home;
        Python::attach(|py| {
            let Err(error) = home.run(py, || py.check_signals()) else { return };
            // Between two calls, there is no task that an exception of a handler could interrupt.
            let is_exit = error.is_instance_of::<PySystemExit>(py);
            if is_exit || error.is_instance_of::<PyKeyboardInterrupt>(py) {
                self.exit = self.exit.take().or_else(|| is_exit.then_some(error));
                py.detach(|| self.stopper.stop(GRACE));
                return;
            }
            let told = traceback(py, &error).unwrap_or_else(|_| text(error.value(py)));
            self.journal.error(format_args!("a signal handler raised an exception\n{told}"));
        });
    }
}

fn receive<'py>(
    py: Python<'py>,
    root: &str,
    message: Delivered,
    policy: Policy,
    home: Home,
    reply: &Reply,
) -> Result<Bound<'py, PyAny>, Failure> {
    home.run(py, || decode(py, root, message, policy)).map_err(|error| {
        // Ctrl-C, `sys.exit` and the like are failures of the task, as they would be inside it.
        if is_no_exception(&error, py) {
            return task_failure(py, &error, Some(reply));
        }
        let code = match policy.allow_pickle {
            _ if is_memory_error(&error, py) => FailureCode::Task,
            true => FailureCode::Serialization,
            false => FailureCode::Refused,
        };
        // The exception that unpickling raised says more than the error around it.
        let told = error.cause(py).unwrap_or_else(|| error.clone_ref(py));
        let message = text(error.value(py));
        Failure { code, message, ..task_failure(py, &told, Some(reply)) }
    })
}

/// The failure that tells a client what a task raised.
fn task_failure(py: Python<'_>, error: &PyErr, reply: Option<&Reply>) -> Failure {
    let value = error.value(py);
    let about =
        |what: &str| value.get_type().getattr(what).and_then(|name| name.extract::<String>());
    let name = about("__qualname__").unwrap_or_else(|_| "Exception".to_owned());
    let exception = match about("__module__") {
        Ok(module) if module != "builtins" => format!("{module}.{name}"),
        _ => name,
    };
    // If the exception cannot be pickled, the client gets only its text and traceback.
    let takes_pickles = || Ok(reply.is_none_or(|reply| py.detach(|| reply.takes_pickles())));
    let client = Receiver { name: "the client", takes_pickles: &takes_pickles };
    Failure {
        code: FailureCode::Task,
        message: text(value),
        exception: Some(exception),
        traceback: traceback(py, error).ok(),
        object: encode_exception(py, value.as_any(), &client),
    }
}

/// An exception with its traceback, as Python prints it.
fn traceback(py: Python<'_>, error: &PyErr) -> PyResult<String> {
    let value = error.value(py);
    let parts = (value.get_type(), value, frames_of_tasks(error.traceback(py))?);
    let lines = py.import("traceback")?.getattr("format_exception")?.call1(parts)?;
    words(intern!(py, "").call_method1("join", (lines,))?.cast::<PyString>()?)
}

/// The files through which a tasks file is imported, as tracebacks name them.
const IMPORTS: [&str; 3] = ["<frozen importlib", "importlib/__init__.py", "bgpy/_tasks_file.py"];

/// A traceback without its outermost frames, those that import a tasks file.
fn frames_of_tasks(
    mut traceback: Option<Bound<'_, PyTraceback>>,
) -> PyResult<Option<Bound<'_, PyTraceback>>> {
    while let Some(outermost) = &traceback {
        let code = outermost.getattr("tb_frame")?.getattr("f_code")?;
        let file = code.getattr("co_filename")?.extract::<String>()?;
        if !IMPORTS.iter().any(|own| file.starts_with(own) || file.ends_with(own)) {
            break;
        }
        traceback = outermost.getattr("tb_next")?.cast_into().ok();
    }
    Ok(traceback)
}

fn start_failed(origin: &str, failure: &Failure) -> Report {
    // The last line of a traceback is the exception.
    let what = match &failure.traceback {
        Some(traceback) => format!("\n\n{}", traceback.trim_end()),
        None => format!(" {failure}"),
    };
    let message = format!("the tasks in {origin} do not start:{what}");
    Report::Failed { kind: "start".into(), message }
}

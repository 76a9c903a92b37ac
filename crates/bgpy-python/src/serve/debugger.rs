//! Looks into the interpreter while it runs: the stacks of its threads, prompts, and tasks at breakpoints.
//!
//! The Python side is `bgpy._debug`. It is called on a thread of its own, because whoever holds the GIL may hold
//! it for long. If it does, the stacks come from `faulthandler`, whose handler of a signal needs no GIL.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bgpy::server::{Debugger, Running};
use bgpy::{DebugReply, DebugRequest, Log, SignalFile};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use super::failure::traceback;
use super::shown::Shown;

/// How long a request waits for the GIL. A thread that runs Python code hands it on after some milliseconds.
const WAIT: Duration = Duration::from_secs(1);

/// How long a request may take once it has the GIL, among threads that want it as well.
const WORK: Duration = Duration::from_secs(20);

/// Requests that wait for the GIL while one holds it.
const WAITING: usize = 16;

const HELD: &str = "the interpreter does not answer: a call into an extension holds it (the GIL)";

/// The debugger of a server that runs Python.
pub struct PythonDebugger {
    python: Arc<Py<PyAny>>,
    /// None if there is no spare signal, and after the end.
    signal_file: Mutex<Option<SignalFile>>,
    worker: Mutex<State>,
}

/// The thread that calls Python.
enum State {
    /// Nobody has asked yet.
    Unused,
    Working(Worker),
    Ended,
}

struct Worker {
    jobs: SyncSender<Job>,
    thread: JoinHandle<()>,
}

struct Job {
    request: DebugRequest,
    running: Option<Running>,
    output_bytes_max: usize,
    progress: Arc<Progress>,
    reply: SyncSender<DebugReply>,
}

/// Whether a job has begun, or is not to begin any more, whichever comes first.
#[derive(Default)]
struct Progress(AtomicU8);

impl Progress {
    const BEGUN: u8 = 1;
    const GIVEN_UP: u8 = 2;

    fn becomes(&self, next: u8) -> bool {
        self.0.compare_exchange(0, next, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// What a server tells its debugger about itself.
pub struct About<'a> {
    /// The server as `bgpy attach` names it.
    pub target: String,
    pub log: Log,
    pub shown: Shown,
    /// Whether clients may run code.
    pub allow_pickle: bool,
    pub python: Python<'a>,
}

impl PythonDebugger {
    /// Prepares this process: from now on tasks can be looked into, and stop at breakpoints.
    ///
    /// # Errors
    /// The exception of Python.
    pub fn install(about: About<'_>) -> PyResult<Self> {
        let py = about.python;
        let mut signal_file = SignalFile::open().ok().flatten();
        let spare = signal_file.as_ref().map(|file| (file.signal(), file.descriptor()));
        let keywords = PyDict::new(py);
        keywords.set_item("target", about.target)?;
        keywords.set_item("allow_pickle", about.allow_pickle)?;
        keywords.set_item("server", Server { log: about.log, shown: about.shown })?;
        keywords.set_item("spare", spare)?;
        let debugger = py.import("bgpy._debug.debugger")?;
        let python = debugger.call_method("install", (), Some(&keywords))?;
        signal_file = signal_file.and_then(|mut file| file.installed().ok().map(|()| file));
        let (signal_file, worker) = (Mutex::new(signal_file), Mutex::new(State::Unused));
        Ok(Self { python: Arc::new(python.unbind()), signal_file, worker })
    }

    /// Prepares prompts, on the thread that runs the tasks: before Python 3.13, `threading` takes the thread
    /// that imports it first for the main thread. It costs some milliseconds, which nobody waits for here.
    pub fn ready(&self, py: Python<'_>) {
        if let Err(error) = py.import("threading") {
            error.write_unraisable(py, None);
        }
    }

    /// Restores what was there before, and ends the thread.
    ///
    /// # Errors
    /// The exception of Python.
    pub fn remove(&self, py: Python<'_>) -> PyResult<()> {
        let worker = std::mem::replace(&mut *lock(&self.worker), State::Ended);
        py.detach(|| {
            if let State::Working(Worker { jobs, thread }) = worker {
                drop(jobs);
                // It must not be in the middle of Python code when the interpreter ends.
                drop(thread.join());
            }
            // Not while somebody raises the signal, whose handler is removed next.
            drop(lock(&self.signal_file).take());
        });
        self.python.bind(py).call_method0("remove").map(drop)
    }

    /// Hands a job to the worker; `false` if it has too much to do, or there is none.
    fn begin(&self, job: Job) -> bool {
        let mut state = lock(&self.worker);
        if matches!(*state, State::Unused) {
            let (jobs, received) = sync_channel(WAITING);
            let python = self.python.clone();
            let begun = thread::Builder::new()
                .name("bgpy-debug-python".into())
                .spawn(move || work(&python, &received));
            let Ok(thread) = begun else { return false };
            *state = State::Working(Worker { jobs, thread });
        }
        match &*state {
            State::Working(worker) => worker.jobs.try_send(job).is_ok(),
            State::Unused | State::Ended => false,
        }
    }

    /// The answer while the GIL is not to be had.
    fn answer_without_gil(&self, request: &DebugRequest) -> DebugReply {
        if *request != DebugRequest::Stacks {
            return DebugReply::refused(format!("{HELD}; `bgpy dump` shows where"));
        }
        let raised = lock(&self.signal_file).as_ref().map(SignalFile::raise);
        match raised.and_then(Result::ok).flatten().filter(|stacks| !stacks.is_empty()) {
            Some(stacks) => DebugReply::Stacks {
                stacks: format!(
                    "{HELD}.\nWhat faulthandler finds without it, most recent call first:\n\n{}",
                    String::from_utf8_lossy(&stacks)
                ),
            },
            None => DebugReply::refused(format!(
                "{HELD}, and there is no signal here by which to find out where"
            )),
        }
    }
}

impl Debugger for PythonDebugger {
    fn answer(
        &self,
        request: DebugRequest,
        running: Option<Running>,
        output_bytes_max: usize,
    ) -> DebugReply {
        let (reply, answered) = sync_channel(1);
        let progress = Arc::new(Progress::default());
        let job = Job {
            request: request.clone(),
            running,
            output_bytes_max,
            progress: progress.clone(),
            reply,
        };
        if !self.begin(job) {
            return self.answer_without_gil(&request);
        }
        match answered.recv_timeout(WAIT) {
            Ok(reply) => reply,
            Err(RecvTimeoutError::Timeout) if progress.becomes(Progress::GIVEN_UP) => {
                self.answer_without_gil(&request)
            }
            Err(RecvTimeoutError::Timeout) => answered.recv_timeout(WORK).unwrap_or_else(|_| {
                DebugReply::refused("the interpreter is too busy to answer in time: try again")
            }),
            Err(RecvTimeoutError::Disconnected) => {
                DebugReply::refused("the server is about to end")
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers requests with the GIL, until there are no more.
fn work(python: &Py<PyAny>, jobs: &Receiver<Job>) {
    for Job { request, running, output_bytes_max, progress, reply } in jobs {
        // While the interpreter shuts down, this thread cannot attach any more.
        let answered = Python::try_attach(|py| {
            if !progress.becomes(Progress::BEGUN) {
                return None;
            }
            let answered = answer(python.bind(py), &request, running, output_bytes_max);
            Some(answered.unwrap_or_else(|error| DebugReply::refused(refusal(py, &error))))
        });
        if let Some(answered) = answered.flatten() {
            // Whoever asked may have given up.
            drop(reply.try_send(answered));
        }
    }
}

fn answer(
    python: &Bound<'_, PyAny>,
    request: &DebugRequest,
    running: Option<Running>,
    output_bytes_max: usize,
) -> PyResult<DebugReply> {
    Ok(match request {
        DebugRequest::Stacks => {
            DebugReply::Stacks { stacks: python.call_method1("stacks", (running,))?.extract()? }
        }
        DebugRequest::Open { prompt } => {
            let opened = python.call_method1("open", (prompt,))?.extract()?;
            let (opened, after, place, about) = opened;
            DebugReply::Opened { opened, after, place, about }
        }
        DebugRequest::Console { session, after, input } => {
            let arguments = (session, after, input, output_bytes_max);
            let told = python.call_method1("console", arguments)?;
            let (output, after, reads, over): (Vec<u8>, _, _, _) = told.extract()?;
            DebugReply::Console { output, after, reads, over }
        }
        DebugRequest::Interrupt { session } => {
            let thread: Option<u64> = python.call_method1("interrupt", (session,))?.extract()?;
            thread.inspect(|thread| interrupt(python.py(), *thread));
            DebugReply::Done { done: true }
        }
        DebugRequest::Close { session } => {
            python.call_method1("close", (session,))?;
            DebugReply::Done { done: true }
        }
    })
}

/// Raises KeyboardInterrupt in a thread, once it runs Python code.
fn interrupt(py: Python<'_>, thread: u64) {
    let class = PyType::new::<PyKeyboardInterrupt>(py);
    // SAFETY: the GIL is held, and the class is alive. A thread that has ended is not found.
    unsafe { pyo3::ffi::PyThreadState_SetAsyncExc(thread as _, class.as_ptr()) };
}

/// Why Python refuses: the text of its own refusal, or the traceback of anything else.
fn refusal(py: Python<'_>, error: &PyErr) -> String {
    let is_refused = error.get_type(py).name().is_ok_and(|name| name == "Refused");
    if is_refused {
        return error.value(py).to_string();
    }
    traceback(py, error).unwrap_or_else(|_| error.to_string())
}

/// The server as its debugger sees it.
#[pyclass(frozen)]
struct Server {
    log: Log,
    shown: Shown,
}

#[pymethods]
impl Server {
    /// Writes a line to the log.
    fn log(&self, py: Python<'_>, text: &str) {
        // Without the GIL: a thread that holds the log's lock may be waiting for the GIL.
        py.detach(|| self.log.info(text));
    }

    /// The state and `exec_task`; None as long as there are none.
    fn tasks(&self, py: Python<'_>) -> (Option<Py<PyDict>>, Option<Py<PyAny>>) {
        self.shown.get(py)
    }

    /// The object of a service; None as long as there is none, and with tasks.
    fn service(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.shown.object(py)
    }
}

//! A connection in an asyncio event loop, for `bgpy.aio`. All of it runs on the loop's thread, except `open`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bgpy::{Answer, Call, CallError, CallHead, CallKind, Link, Payload, Question, Step, Want};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::arguments::{deadline_head, limit, timeout, waiting};
use super::async_calls::{Arrived, Entry, Kind, settle, tell_progress};
use super::callback::Callbacks;
use super::client::Client;
use super::client_calls::Called;
use super::errors::{call_error, connect_error, no_response};
use super::messages::confirmation;
use super::status::status_dict;
use super::waiting_servers::chain;
use crate::codec::encode::encode_tasks;

/// Most reads before others in the loop get their turn.
const READS: usize = 16;

/// A connection that an event loop drives. `handler` is what `bgpy.aio` has around it.
#[pyclass(module = "bgpy._bgpy", frozen)]
pub struct AsyncLink {
    pub(super) client: Py<Client>,
    pub(super) link: Arc<Link>,
    calls: Mutex<HashMap<u64, Entry>>,
}

impl AsyncLink {
    pub(super) fn calls(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn error(&self, py: Python<'_>, error: CallError) -> PyErr {
        call_error(py, error, self.client.get().policy)
    }

    pub(super) fn add(
        &self,
        py: Python<'_>,
        call: Result<Call, CallError>,
        kind: Kind,
        future: Option<Py<PyAny>>,
        on_progress: Option<Py<PyAny>>,
        callbacks: Callbacks,
    ) -> PyResult<u64> {
        let call = call.map_err(|error| self.error(py, error))?;
        let id = call.id();
        self.calls().insert(id, Entry { call, kind, future, on_progress, callbacks });
        Ok(id)
    }

    /// Hands what has arrived for a call to whoever waits for it.
    fn advance(&self, handler: &Bound<'_, PyAny>, id: u64) -> PyResult<()> {
        let py = handler.py();
        loop {
            // Released before anything is called: that may make calls itself.
            let mut calls = self.calls();
            let Some(entry) = calls.get_mut(&id) else { return Ok(()) };
            let kind = entry.kind;
            if kind == Kind::Stream {
                let waiter = entry.future.take();
                drop(calls);
                return waiter.map_or(Ok(()), |waiter| settle(py, &waiter, Ok(py.None())));
            }
            let Some(arrived) = entry.next() else { return Ok(()) };
            match arrived {
                Arrived::Step(Step::Progress(progress)) => {
                    let report = entry.on_progress.as_ref().map(|report| report.clone_ref(py));
                    drop(calls);
                    tell_progress(handler, report, progress)?;
                }
                Arrived::Step(Step::Callback { number, message }) => {
                    drop(calls);
                    self.run_callback(handler, id, number, message)?;
                }
                // Responses of `init_task` do not matter.
                Arrived::Step(Step::Response(_)) if kind == Kind::Init => {}
                last => {
                    let future = calls.remove(&id).and_then(|entry| entry.future);
                    drop(calls);
                    let result = self.result(py, kind, last);
                    return future.map_or(Ok(()), |future| settle(py, &future, result));
                }
            }
        }
    }

    fn advance_all(&self, handler: &Bound<'_, PyAny>) -> PyResult<()> {
        let ids: Vec<u64> = self.calls().keys().copied().collect();
        ids.into_iter().try_for_each(|id| self.advance(handler, id))
    }

    /// What the end of a call means to whoever waits for it.
    fn result(&self, py: Python<'_>, kind: Kind, last: Arrived) -> PyResult<Py<PyAny>> {
        let client = self.client.get();
        let told = |text: String| confirmation(py, &text).map(|told| told.into_any().unbind());
        match (last, kind) {
            (Arrived::Failed(failed), _) => Err(self.error(py, failed)),
            (Arrived::Answer(Answer::Pong), _) => Ok(py.None()),
            (Arrived::Answer(Answer::Status(status)), _) => {
                status_dict(py, &status).map(|status| status.into_any().unbind())
            }
            (Arrived::Step(_), Kind::Accepted(what)) => told(format!("Received '{what}'")),
            (Arrived::Step(Step::Response(response)), Kind::Raw) => {
                client.answer(py, Some(response), "").map(Bound::unbind)
            }
            (Arrived::Step(Step::Response(response)), _) => {
                client.response(py, response).map(Bound::unbind)
            }
            (_, Kind::Init) => told("Initialization successful.".to_owned()),
            _ => Err(no_response(py, &client.client.target().to_string())),
        }
    }

    /// The head of a call that somebody waits for.
    fn head(&self, py: Python<'_>) -> PyResult<CallHead> {
        Ok(CallHead { left_ms: deadline_head(py)?, chain: chain(py)?, ..CallHead::default() })
    }

    fn encode(
        &self,
        py: Python<'_>,
        root: &str,
        object: &Bound<'_, PyAny>,
    ) -> PyResult<(Payload, Callbacks)> {
        let takes_pickles = self.link.hello().allow_pickle;
        let (payload, mut callbacks) =
            Callbacks::of(|| self.client.get().encode_for(py, root, object, takes_pickles))?;
        if !callbacks.is_empty() {
            callbacks.waiting = chain(py)?;
        }
        Ok((payload, callbacks))
    }
}

/// What the arguments of a call are called in errors.
fn root(method: Option<&str>) -> &'static str {
    method.map_or(Called::Task, Called::Method).root()
}

#[pymethods]
impl AsyncLink {
    /// Open a connection to a server that has its tasks. It blocks: call it on a thread of its own.
    #[staticmethod]
    #[pyo3(signature = (client, timeout=None))]
    fn open(
        py: Python<'_>,
        client: Py<Client>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Self> {
        let limit = limit(py, timeout)?;
        let opened = waiting(py, limit, |wait| {
            let link = Arc::new(client.get().client.open(wait)?);
            link.await_start(wait)?;
            Ok::<_, CallError>(link)
        })?;
        let link = opened.map_err(|error| match error {
            CallError::Connect(error) => connect_error(py, &error),
            error => call_error(py, error, client.get().policy),
        })?;
        link.collect_news();
        link.begin_watch();
        Ok(Self { client, link, calls: Mutex::default() })
    }

    /// Number of the socket's descriptor.
    fn fileno(&self) -> i64 {
        self.link.descriptor()
    }

    /// Queue a call of `kind`, EXEC or EXIT, and have its outcome set in `future`. `want` is ``"first"``, ``"raw"``
    /// or ``"accepted"``. An EXEC calls `exec_task`, or a `method`.
    #[pyo3(signature = (future, kind, want, args, on_progress=None, method=None))]
    #[expect(clippy::too_many_arguments, reason = "they are what there is to say about a call")]
    fn call(
        &self,
        py: Python<'_>,
        future: Py<PyAny>,
        kind: &str,
        want: &str,
        args: &Bound<'_, PyAny>,
        on_progress: Option<Py<PyAny>>,
        method: Option<String>,
    ) -> PyResult<u64> {
        let (call_kind, name, root) = match kind {
            "EXEC" => (CallKind::Exec, "EXEC", root(method.as_deref())),
            "EXIT" => (CallKind::Exit, "EXIT", "exit_args"),
            _ => return Err(PyValueError::new_err("kind must be EXEC or EXIT")),
        };
        let (wire, waits) = match want {
            "first" => (Want::First, Kind::First),
            "raw" => (Want::First, Kind::Raw),
            "accepted" => (Want::Ack, Kind::Accepted(name)),
            _ => return Err(PyValueError::new_err("want must be first, raw or accepted")),
        };
        let (payload, callbacks) = self.encode(py, root, args)?;
        let progress = on_progress.is_some();
        let head = match wire {
            // Nobody waits for its end.
            Want::Ack => CallHead { method, ..CallHead::default() },
            _ => CallHead { attached: method.is_some(), method, progress, ..self.head(py)? },
        };
        let call = self.link.queue(call_kind, wire, &head, payload);
        self.add(py, call, waits, Some(future), on_progress, callbacks)
    }

    /// Queue the tasks.
    fn initialize(
        &self,
        py: Python<'_>,
        future: Py<PyAny>,
        tasks: &Bound<'_, PyAny>,
    ) -> PyResult<u64> {
        let payload = encode_tasks(py, "tasks", tasks)?;
        let call = self.link.queue(CallKind::Init, Want::All, &CallHead::default(), payload);
        self.add(py, call, Kind::Init, Some(future), None, Callbacks::default())
    }

    /// Queue a call whose responses are a stream; take them with `step`.
    #[pyo3(signature = (args, window, on_progress=None, method=None))]
    fn stream(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyAny>,
        window: u64,
        on_progress: Option<Py<PyAny>>,
        method: Option<String>,
    ) -> PyResult<u64> {
        let (payload, callbacks) = self.encode(py, root(method.as_deref()), args)?;
        let head = CallHead {
            method,
            window: Some(window),
            progress: on_progress.is_some(),
            attached: true,
            ..self.head(py)?
        };
        let call = self.link.queue(CallKind::Exec, Want::All, &head, payload);
        self.add(py, call, Kind::Stream, None, on_progress, callbacks)
    }

    /// Take the next response of a stream: ``(response,)``, ``()`` at its end, ``(None, result)`` if it has a result, or None if it has not arrived; then
    /// `future` is set when it is worth asking again.
    fn step<'py>(
        &self,
        handler: &Bound<'py, PyAny>,
        call: u64,
        future: Py<PyAny>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let py = handler.py();
        loop {
            let mut calls = self.calls();
            let Some(entry) = calls.get_mut(&call) else { return Ok(Some(PyTuple::empty(py))) };
            match entry.next() {
                None | Some(Arrived::Answer(_)) => {
                    entry.future = Some(future);
                    return Ok(None);
                }
                Some(Arrived::Step(Step::Response(response))) => {
                    let is_last = entry.call.is_over();
                    if is_last {
                        calls.remove(&call);
                    }
                    drop(calls);
                    let response = self.client.get().response(py, response)?;
                    let step = match is_last {
                        true => (py.None(), response).into_pyobject(py),
                        false => PyTuple::new(py, [response]),
                    };
                    return step.map(Some);
                }
                Some(Arrived::Step(Step::Ended)) => {
                    calls.remove(&call);
                    return Ok(Some(PyTuple::empty(py)));
                }
                Some(Arrived::Step(Step::Progress(progress))) => {
                    let report = entry.on_progress.as_ref().map(|report| report.clone_ref(py));
                    drop(calls);
                    tell_progress(handler, report, progress)?;
                }
                Some(Arrived::Step(Step::Callback { number, message })) => {
                    drop(calls);
                    self.run_callback(handler, call, number, message)?;
                }
                Some(Arrived::Failed(failed)) => {
                    calls.remove(&call);
                    drop(calls);
                    return Err(self.error(py, failed));
                }
            }
        }
    }

    /// Queue a question: ``"ping"`` or ``"status"``.
    fn ask(&self, py: Python<'_>, future: Py<PyAny>, question: &str) -> PyResult<u64> {
        let question = match question {
            "ping" => Question::Ping,
            "status" => Question::Status,
            _ => return Err(PyValueError::new_err("question must be ping or status")),
        };
        let call = self.link.queue_question(question);
        self.add(py, call, Kind::Question, Some(future), None, Callbacks::default())
    }

    /// Queue the result of a callback.
    fn return_from_callback(
        &self,
        py: Python<'_>,
        call: u64,
        number: u32,
        returned: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        match self.encode(py, "the result of the callback", returned) {
            Ok((payload, _)) => self.answer_callback(py, call, number, Ok(payload)),
            Err(error) => self.fail_callback(py, call, number, &error),
        }
    }

    /// Queue what a callback has raised.
    fn raise_from_callback(
        &self,
        py: Python<'_>,
        call: u64,
        number: u32,
        raised: Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.fail_callback(py, call, number, &PyErr::from_value(raised))
    }

    /// Cancel a call that nobody waits for any more.
    fn cancel(&self, call: u64) {
        let entry = self.calls().remove(&call);
        if let Some(entry) = entry {
            entry.call.abandon();
        }
    }

    /// Write what the socket takes. Returns whether that was all.
    fn flush(&self, py: Python<'_>) -> PyResult<bool> {
        self.link.flush_now().map_err(|error| self.error(py, error))
    }

    /// Read what is there, and hand it to those who wait.
    fn read(&self, handler: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut lost = None;
        for _ in 0..READS {
            match self.link.read_now() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    lost = Some(error);
                    break;
                }
            }
        }
        self.link.take_news().into_iter().try_for_each(|id| self.advance(handler, id))?;
        if self.link.has_said_goodbye() {
            self.advance_all(handler)?;
        }
        lost.map_or(Ok(()), |error| Err(self.error(handler.py(), error)))
    }

    /// End all calls, because the connection is lost.
    fn fail(&self, handler: &Bound<'_, PyAny>) -> PyResult<()> {
        self.link.close();
        self.advance_all(handler)
    }

    /// Look whether a silent server is still there. Returns after how many seconds to look again.
    fn watch(&self, py: Python<'_>, is_first: bool) -> PyResult<f64> {
        if is_first {
            self.link.begin_watch();
        }
        let next = self.link.keep_watch().map_err(|error| self.error(py, error))?;
        Ok(next.as_secs_f64())
    }

    /// Whether no call is under way.
    fn is_idle(&self) -> bool {
        self.calls().is_empty()
    }

    /// Whether calls can be made.
    fn is_usable(&self) -> bool {
        self.link.is_usable(Instant::now()) && !self.link.has_said_goodbye()
    }

    /// Wait for the server that takes the place of one that ends; False if none does. It blocks: call it on a thread
    /// of its own.
    fn has_successor(&self, py: Python<'_>) -> PyResult<bool> {
        let client = &self.client.get().client;
        let found = waiting(py, limit(py, None)?, |wait| client.successor(&self.link, wait))?;
        found.map(|found| found.is_some()).map_err(|error| self.error(py, error))
    }

    /// Close the connection.
    fn close(&self) {
        self.link.close();
    }
}

//! Jobs of a client, from which `bgpy._jobs` makes `Job`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bgpy::error::Lost;
use bgpy::jobs::JobInfo;
use bgpy::{AbortRequest, Aborted, CallError, ConnectError, Id, JobSubmission, Link, Step};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::arguments::{limit, shortest, timeout, waiting};
use super::callback::Callbacks;
use super::client::Client;
use super::client_calls::Called;
use super::connection::process_of;
use super::errors::{call_error, no_response};
use super::progress::ProgressReport;
use crate::exceptions::{Class, config_error, is, is_no_exception};

/// The name of a job, and the process of the server that it was made for.
#[derive(Clone)]
struct Named {
    name: String,
    server: (Id, u64),
}

impl Named {
    fn of(link: &Link, key: Option<&str>) -> Self {
        let name = key.map_or_else(|| link.new_job_name(), str::to_owned);
        Self { name, server: process_of(link) }
    }
}

#[pymethods]
impl Client {
    /// Submit a job, and return its name. If the connection is lost meanwhile, it is submitted again under that name.
    #[pyo3(signature = (method, args, key=None, keep=None, timeout=None))]
    pub(super) fn _submit(
        &self,
        py: Python<'_>,
        method: Option<&str>,
        args: &Bound<'_, PyAny>,
        key: Option<&str>,
        keep: Option<f64>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<String> {
        let keep = keep.map(|keep| kept(py, keep)).transpose()?;
        check_key(py, key)?;
        let called = method.map_or(Called::Task, Called::Method);
        let encoded = || {
            let (payload, callbacks) =
                Callbacks::of(|| self.encode(py, called.root(), args, timeout))?;
            if callbacks.is_empty() {
                return Ok(payload);
            }
            let text =
                "a job lives on without its caller, so it cannot call functions of the caller's";
            Err(PyTypeError::new_err(text))
        };
        let (limit, since) = (limit(py, timeout)?, Instant::now());
        let named: Mutex<Option<Named>> = Mutex::new(None);
        let known = || named.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = limit.map(|limit| limit.saturating_sub(since.elapsed()).as_secs_f64());
            let submitted = self.calling(py, left, None, encoded, |link, payload, wait| {
                let again = known().take().filter(|named| named.server == process_of(link));
                let named = again.unwrap_or_else(|| Named::of(link, key));
                *known() = Some(named.clone());
                let (name, method) = (named.name.clone(), method.map(str::to_owned));
                let job = JobSubmission { name, is_key: key.is_some(), method, keep };
                link.submit_job(&job, payload, wait)?;
                Ok(named.name)
            });
            match submitted {
                Err(error) if is(&error, py, Class::ConnectionLost) => {
                    let link = match self.started(py, left.map(Duration::from_secs_f64)) {
                        Err(raised) if is_no_exception(&raised, py) => return Err(raised),
                        Err(_) => return Err(error),
                        Ok(link) => link,
                    };
                    if known().as_ref().is_none_or(|named| named.server != process_of(&link)) {
                        return Err(error);
                    }
                }
                submitted => return submitted,
            }
        }
    }

    /// Wait for the result of a job.
    #[pyo3(signature = (job, is_of_method, timeout=None, on_progress=None))]
    fn _await_job<'py>(
        &self,
        py: Python<'py>,
        job: &str,
        is_of_method: bool,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
        on_progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (limit, since) = (limit(py, timeout)?, Instant::now());
        let left = || limit.map(|limit| limit.saturating_sub(since.elapsed()));
        let wants_progress = on_progress.is_some();
        let (mut call, mut cut) = (None, None::<Cut>);
        loop {
            let link = match (self.started(py, left()), cut.take()) {
                // The job was there, so its server has not refused it.
                (Err(raised), Some(cut)) if is(&raised, py, Class::ServerStopping) => {
                    return Err(call_error(py, cut.error, self.policy));
                }
                (started, before) => {
                    cut = before;
                    started?
                }
            };
            let awaited = &mut call;
            let step = waiting(py, left(), |wait| {
                if awaited.is_none() {
                    let begun = link.await_job(job, is_of_method, wants_progress, wait)?;
                    *awaited = Some(begun);
                }
                awaited.as_mut().map_or(Ok(Step::Ended), |call| call.step(wait))
            })?;
            match step {
                Ok(Step::Response(response)) => return self.response(py, response),
                Ok(Step::Ended) => {
                    return Err(no_response(py, &self.client.target().to_string()));
                }
                Ok(Step::Progress(progress)) => {
                    if let Some(report) = &on_progress {
                        report.call1((ProgressReport::from(progress),))?;
                    }
                }
                // A job has no caller whom its task could call.
                Ok(Step::Callback { .. }) => {}
                // Whoever waits twice does no harm. A connection that is lost again at once is no accident.
                Err(error) if is_cut(&error) => {
                    if let Some(cut) = cut.take().filter(|cut| cut.at.elapsed() < AGAIN_AFTER) {
                        return Err(call_error(py, cut.error, self.policy));
                    }
                    (call, cut) = (None, Some(Cut { at: Instant::now(), error }));
                }
                Err(error) => return Err(call_error(py, error, self.policy)),
            }
        }
    }

    /// What the server tells of a job, or of all.
    #[pyo3(signature = (job=None, timeout=None))]
    fn _jobs<'py>(
        &self,
        py: Python<'py>,
        job: Option<&str>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyList>> {
        let reply = self.on_link(py, timeout, |link, wait| link.jobs(job, wait))?;
        let infos: Vec<_> =
            reply.jobs.iter().map(|info| job_dict(py, info)).collect::<PyResult<_>>()?;
        PyList::new(py, infos)
    }

    /// Ask the server to cancel a job; False if it cannot be cancelled while it runs, None if it is over.
    #[pyo3(signature = (job, timeout=None))]
    fn _cancel_job(
        &self,
        py: Python<'_>,
        job: &str,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Option<bool>> {
        let request = AbortRequest { call: None, job: Some(job.to_owned()) };
        let reply = self.on_link(py, timeout, |link, wait| {
            let reply = link.abort(&request, wait)?;
            if reply.outcome == Aborted::Unknown {
                // Fails if the server does not know the job.
                link.jobs(Some(job), wait)?;
            }
            Ok(reply)
        })?;
        Ok(match reply.outcome {
            Aborted::Removed | Aborted::Interrupted => Some(true),
            Aborted::Refused => Some(false),
            Aborted::Unknown => None,
        })
    }
}

/// How long a wait for a job lasts at least until it is begun again on another connection.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The end of a connection on which a job was awaited.
struct Cut {
    at: Instant,
    error: CallError,
}

/// Whether a connection was lost without anybody breaking the protocol, or belongs to a server that ends.
fn is_cut(error: &CallError) -> bool {
    let is_lost = matches!(
        error,
        CallError::Lost { reason: Lost::Closed | Lost::Io(_) | Lost::Silent(_), .. }
            | CallError::Connect(ConnectError::Stopping { .. })
    );
    is_lost || error.is_stopping()
}

fn kept(py: Python<'_>, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        config_error(
            py,
            format!(
                "keep={} is not a valid time: pass a number of seconds from 0 to 1.8e19",
                shortest(seconds)
            ),
        )
    })
}

fn check_key(py: Python<'_>, key: Option<&str>) -> PyResult<()> {
    let bytes_max = bgpy::limits::JOB_BYTES_MAX;
    match key {
        Some("") => {
            Err(config_error(py, "key is empty: pass a text, or None for a name of its own"))
        }
        Some(key) if key.len() > bytes_max => {
            let bytes = key.len();
            Err(config_error(py, format!("key has {bytes} bytes, and may have {bytes_max}")))
        }
        _ => Ok(()),
    }
}

fn job_dict<'py>(py: Python<'py>, info: &JobInfo) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("id", &info.job)?;
    dict.set_item("task", &info.task)?;
    dict.set_item("state", info.state.name())?;
    dict.set_item("submitted_ms", info.submitted_ms)?;
    dict.set_item("began_ms", info.began_ms)?;
    dict.set_item("ended_ms", info.ended_ms)?;
    dict.set_item("progress", info.progress.clone().map(ProgressReport::from))?;
    dict.set_item("error", &info.error)?;
    dict.set_item("size", info.bytes)?;
    Ok(dict)
}

//! Submitting jobs, and asking for them.

use std::sync::Arc;
use std::time::Duration;

use bgpy_proto::client::Event;
use bgpy_proto::{CallHead, CallKind, JobsReply, JobsRequest, Payload, Want, jobs};

use super::call::Call;
use super::link::Link;
use crate::deadlock;
use crate::error::CallError;
use crate::jobs::{new_name, unknown};
use crate::wait::Wait;

/// What the message of a call says that waits for a job: nil.
const NOTHING: u8 = 0xc0;

/// What is said of a job when it is submitted.
#[derive(Debug, Clone)]
pub struct JobSubmission {
    /// Its name: a [new one](Link::new_job_name), or a key of the user's.
    pub name: String,
    /// Whether it is a key: another job of that name is refused.
    pub is_key: bool,
    /// The method that it calls; `None` for `exec_task`.
    pub method: Option<String>,
    /// How long the server is to keep what has become of it; `None` for a day.
    pub keep: Option<Duration>,
}

impl Link {
    /// A name that no job of the server has.
    pub fn new_job_name(&self) -> String {
        new_name(self.hello.instance, self.hello.generation)
    }

    /// Submits a job, and returns when the server has accepted it. If it knows the job already, it does nothing.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Failed`] if a job of that name calls something else or with other arguments.
    pub fn submit_job(
        self: &Arc<Self>,
        job: &JobSubmission,
        payload: Payload,
        wait: &Wait<'_>,
    ) -> Result<(), CallError> {
        self.check_jobs()?;
        let keep_ms = job.keep.map(|keep| u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
        let head = CallHead {
            digest: job.is_key.then(|| jobs::digest(job.method.as_deref(), &payload)).flatten(),
            job: Some(job.name.clone()),
            method: job.method.clone(),
            keep_ms,
            ..CallHead::default()
        };
        let unsure = |source: CallError| match source {
            CallError::Lost { .. } | CallError::Timeout { .. } => {
                let (job, is_key) = (job.name.clone(), job.is_key);
                CallError::JobUnsure { job, is_key, source: Box::new(source) }
            }
            error => error,
        };
        let mut call =
            self.begin(CallKind::Exec, Want::Ack, &head, payload, wait).map_err(unsure)?;
        match call.event(wait).map_err(unsure)? {
            Event::Accepted => call.done(()),
            event => Err(call.failed(event)),
        }
    }

    /// Waits for a job, perhaps one of a method: its result is the response of the call that is returned. Dropping that
    /// ends the wait only.
    ///
    /// # Errors
    /// [`CallError`]. A job that the server does not know makes the call fail.
    pub fn await_job(
        self: &Arc<Self>,
        job: &str,
        is_of_method: bool,
        progress: bool,
        wait: &Wait<'_>,
    ) -> Result<Call, CallError> {
        self.check_job(job)?;
        let head = wait_head(job, progress);
        let mut call =
            self.begin(CallKind::Exec, Want::First, &head, vec![NOTHING].into(), wait)?;
        call.is_of_method = is_of_method;
        Ok(call)
    }

    /// Like [`await_job`](Self::await_job), for an event loop: it only queues what is to be sent.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn queue_wait(
        self: &Arc<Self>,
        job: &str,
        is_of_method: bool,
        progress: bool,
    ) -> Result<Call, CallError> {
        self.check_job(job)?;
        let head = wait_head(job, progress);
        let mut call = self.queue(CallKind::Exec, Want::First, &head, vec![NOTHING].into())?;
        call.is_of_method = is_of_method;
        Ok(call)
    }

    /// Asks for one job, or for all that the server knows.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Failed`] if the server does not know the job.
    pub fn jobs(
        self: &Arc<Self>,
        job: Option<&str>,
        wait: &Wait<'_>,
    ) -> Result<JobsReply, CallError> {
        job.map_or_else(|| self.check_jobs(), |job| self.check_job(job))?;
        let request = JobsRequest { job: job.map(str::to_owned) };
        let mut call = self.submit(wait, |session| Ok(session.jobs(&request)))?;
        let reply = match call.event(wait)? {
            Event::Jobs(reply) => call.done(*reply)?,
            event => return Err(call.failed(event)),
        };
        match job.filter(|_| reply.jobs.is_empty()) {
            Some(job) => Err(self.unknown_job(job)),
            None => Ok(reply),
        }
    }

    /// The error of whoever asks for a job that the server does not know.
    pub fn unknown_job(&self, job: &str) -> CallError {
        let failure = unknown(job, self.hello.instance, self.hello.generation);
        CallError::refused(&self.server, Box::new(failure))
    }
}

/// The head of a wait for a job.
fn wait_head(job: &str, progress: bool) -> CallHead {
    CallHead {
        job: Some(job.to_owned()),
        progress,
        chain: deadlock::chain(),
        ..CallHead::default()
    }
}

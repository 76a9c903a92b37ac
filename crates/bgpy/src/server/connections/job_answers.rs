//! The outcomes of jobs, on their way to those who wait for them, and what is told of jobs.

use bgpy_proto::codec::{Item, Reader, ext};
use bgpy_proto::{
    Buffer, Failure, FailureCode, JobsReply, JobsRequest, Payload, Progress, ServerSession,
};

use crate::server::core::Core;
use crate::server::job::Outcome;

impl Core {
    /// Notes that a job is over, and tells those who wait its outcome: what it has responded, or how it has ended.
    pub(crate) fn job_ended(&mut self, job: u64, outcome: &Result<bool, Failure>) {
        self.jobs.keep(
            job,
            match outcome {
                Ok(_) => Outcome::Ended,
                Err(failure) => Outcome::Failed(failure.clone()),
            },
        );
        self.jobs.end(job);
        self.tell_outcome(job);
    }

    /// Tells those who have begun to wait for a job its outcome, or how far it has come.
    pub(crate) fn tell_due_jobs(&mut self) {
        for job in self.jobs.take_due() {
            let call = self.jobs.call_of(job);
            if let Some(progress) = call.and_then(|call| self.control.progress(call)) {
                self.tell_job_progress(job, &progress);
            }
            self.tell_outcome(job);
        }
    }

    fn tell_outcome(&mut self, job: u64) {
        let Some((waiting, outcome)) = self.jobs.take_waiting(job) else { return };
        for (connection, id) in waiting {
            match &outcome {
                Outcome::Response { payload, error } => {
                    self.tell_response(connection, id, payload, *error);
                }
                Outcome::Ended => {
                    self.with_session(connection, |session| session.end(id, false));
                }
                Outcome::Failed(failure) => {
                    self.with_session(connection, |session| {
                        session.fail(id, &for_client(session, failure))
                    });
                }
            }
        }
    }

    fn tell_response(&mut self, connection: usize, id: u64, payload: &Payload, error: bool) {
        let Some(found) = self.readable(connection) else { return };
        let Some(session) = found.session() else { return };
        let outcome = match !session.client().allow_pickle && is_pickle(&payload.data) {
            true => Err("it needs a pickle, which the client does not accept".to_owned()),
            false => session.respond(id, payload.clone(), error).map_err(|error| error.to_string()),
        };
        match outcome {
            Ok(_) => found.expect_constant(payload.bytes()),
            Err(why) => {
                let text = format!("the result of the job cannot be sent: {why}");
                session.fail(id, &Failure::new(FailureCode::Serialization, text));
            }
        }
        self.flush(connection);
    }

    /// Tells those who wait for a job how far it has come.
    pub(crate) fn tell_job_progress(&mut self, job: u64, progress: &Progress) {
        for (connection, id) in self.jobs.waiting_for(job).to_vec() {
            self.with_session(connection, |session| session.progress(id, progress));
        }
    }

    /// Answers a request for the jobs.
    pub(crate) fn tell_jobs(&mut self, connection: usize, request: u64, about: &JobsRequest) {
        let mut jobs = self.jobs.infos(about.job.as_deref(), &self.calls.under_way);
        for info in jobs.iter_mut().filter(|info| !info.state.is_over()) {
            info.progress = info.call.and_then(|call| self.control.progress(call));
        }
        let reply = JobsReply { jobs, left_out: 0 };
        self.with_session(connection, |session| session.jobs(request, reply));
    }
}

/// The payload in memory of its own, which any number of messages can share. What it was made of belongs to a task,
/// which may change it.
///
/// # Errors
/// The number of bytes for which there is no memory.
pub(crate) fn owned(payload: Payload) -> Result<Payload, u64> {
    let Payload { data, buffers } = payload;
    let copied = |buffer: Buffer| -> Result<Buffer, u64> {
        if let Buffer::Owned(_) = buffer {
            return Ok(buffer);
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(buffer.len()).map_err(|_| buffer.len() as u64)?;
        bytes.extend_from_slice(&buffer);
        Ok(Buffer::Owned(bytes))
    };
    let buffers = buffers.into_iter().map(copied).collect::<Result<_, _>>()?;
    let mut payload = Payload { data, buffers };
    payload.share();
    Ok(payload)
}

fn is_pickle(message: &[u8]) -> bool {
    matches!(Reader::new(message).item(), Ok(Item::Ext(ext::PICKLE | ext::CODE, _)))
}

/// A failure without the exceptions that the client does not accept.
fn for_client(session: &ServerSession, failure: &Failure) -> Failure {
    let takes_pickles = session.client().allow_pickle;
    failure.clone().with_objects(|object| takes_pickles || !is_pickle(object))
}

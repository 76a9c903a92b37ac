//! A job: what is known of it, and what has become of it.

use std::time::Duration;

use bgpy_proto::jobs::{JobInfo, JobState};
use bgpy_proto::{Failure, FailureCode, Payload};

use super::under_way::UnderWay;
use crate::clock::now_ms;

/// What has become of a job.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// It has responded, perhaps with what it calls an error.
    Response { payload: Payload, error: bool },
    /// It has ended without a response.
    Ended,
    /// It has failed.
    Failed(Failure),
}

/// A job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) task: String,
    /// What it was submitted with, if its caller has said so.
    pub(super) digest: Option<Vec<u8>>,
    pub(super) keep: Duration,
    /// Whether whoever has submitted it accepts pickles.
    pub(super) takes_pickles: bool,
    /// The server's number for its call.
    pub(super) call: u64,
    pub(super) submitted_ms: i64,
    /// How long it has run.
    pub(super) ran: Option<Duration>,
    pub(super) ended_ms: Option<i64>,
    pub(super) outcome: Option<Outcome>,
    /// Connections and ids of those who wait for the outcome.
    pub(super) waiting: Vec<(usize, u64)>,
}

impl Outcome {
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Response { payload, .. } => payload.bytes(),
            Self::Ended => 0,
            Self::Failed(failure) => failure.bytes() as u64,
        }
    }

    fn state(&self) -> JobState {
        match self {
            Self::Response { error: true, .. } => JobState::Failed,
            Self::Response { .. } | Self::Ended => JobState::Done,
            Self::Failed(failure) if failure.code == FailureCode::Cancelled => JobState::Cancelled,
            Self::Failed(_) => JobState::Failed,
        }
    }

    fn error(&self) -> Option<String> {
        match self {
            Self::Response { error: true, .. } => Some("the task responded with an error".into()),
            Self::Failed(failure) => Some(failure.to_string()),
            _ => None,
        }
    }
}

impl Job {
    pub(super) fn info(&self, under_way: &UnderWay) -> JobInfo {
        let running = under_way.time_of(self.call).filter(|_| self.ended_ms.is_none());
        let state = match (&self.outcome, self.ended_ms, running) {
            (Some(outcome), Some(_), _) => outcome.state(),
            (_, _, Some(_)) => JobState::Running,
            _ => JobState::Queued,
        };
        let before = |ms: i64, ran: Duration| ms - i64::try_from(ran.as_millis()).unwrap_or(0);
        let began_ms = match (running, self.ended_ms.zip(self.ran)) {
            (Some(ran), _) => Some(before(now_ms(), ran)),
            (None, ended) => ended.map(|(at, ran)| before(at, ran)),
        };
        let result = match &self.outcome {
            Some(Outcome::Response { payload, .. }) => Some(payload.bytes()),
            _ => None,
        };
        JobInfo {
            job: self.name.clone(),
            task: self.task.clone(),
            state,
            submitted_ms: self.submitted_ms,
            began_ms: began_ms.map(|at| at.max(self.submitted_ms)),
            ended_ms: self.ended_ms,
            call: Some(self.call),
            progress: None,
            error: self.outcome.as_ref().filter(|_| state.is_over()).and_then(Outcome::error),
            bytes: result,
        }
    }
}

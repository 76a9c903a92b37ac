//! The jobs of a server, as clients ask for them.

use ring::digest;
use serde::{Deserialize, Serialize};

use crate::codec::{self, Item, Reader, Value, ext};
use crate::failure::shortened;
use crate::frame::Payload;
use crate::limits::JOB_ERROR_BYTES_MAX;
use crate::progress::Progress;

/// Which jobs to tell of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobsRequest {
    /// The name of one; `None` for all.
    pub job: Option<String>,
}

/// The jobs that a server knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JobsReply {
    /// The jobs, the newest first.
    pub jobs: Vec<JobInfo>,
    /// How many older ones did not fit into the reply.
    pub left_out: u64,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobInfo {
    /// Its name.
    pub job: String,
    /// What it runs: `exec_task`, or a method.
    pub task: String,
    /// How far it is.
    pub state: JobState,
    /// When it was submitted, in milliseconds since 1970 UTC.
    pub submitted_ms: i64,
    /// When it began, if it has.
    pub began_ms: Option<i64>,
    /// When it ended, if it has.
    pub ended_ms: Option<i64>,
    /// The server's number for its call.
    pub call: Option<u64>,
    /// How far it has come, if it runs and has said so.
    pub progress: Option<Progress>,
    /// Why it failed, if it has.
    pub error: Option<String>,
    /// The size of its result, if it has one, in bytes.
    pub bytes: Option<u64>,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// It runs.
    Running,
    /// It has ended, perhaps with a result.
    Done,
    /// It raised an exception, or could not run.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl JobState {
    /// Whether the job has ended.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl JobsRequest {
    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        codec::to_vec(self).expect("a request is flat and short")
    }

    /// Decodes it; `None` if the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::from_map(bytes)
    }
}

/// A digest (SHA-256) of what a job is submitted with: its method, and its message. It is the same for what Python holds
/// to be equal, whatever the order of sets and dicts, and `None` for a message that holds code: the same code has other
/// bytes in each run of a script.
pub fn digest(method: Option<&str>, message: &Payload) -> Option<Vec<u8>> {
    let kind = match Reader::new(&message.data).item() {
        Ok(Item::Ext(kind, _)) => Some(kind),
        _ => None,
    };
    let plain = match kind {
        Some(ext::CODE) => return None,
        Some(ext::PICKLE) => None,
        _ => Value::decode_with(&message.data, &message.buffers).ok(),
    };
    let mut context = digest::Context::new(&digest::SHA256);
    let mut add = |part: &[u8]| {
        // With its length, so that no part passes for two.
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    };
    add(method.map_or(&[][..], str::as_bytes));
    match plain {
        Some(value) => add(&ordered(value).encode().ok()?),
        None => {
            add(&message.data);
            message.buffers.iter().for_each(|buffer| add(buffer));
        }
    }
    Some(context.finish().as_ref().to_vec())
}

/// The same value with the items of sets and dicts in one order.
fn ordered(value: Value) -> Value {
    let all = |values: Vec<Value>| values.into_iter().map(ordered).collect::<Vec<_>>();
    let sorted = |values: Vec<Value>| {
        let mut values = all(values);
        values.sort_by_cached_key(|value| value.encode().unwrap_or_default());
        values
    };
    match value {
        Value::List(values) => Value::List(all(values)),
        Value::Tuple(values) => Value::Tuple(all(values)),
        Value::Set(values) => Value::Set(sorted(values)),
        Value::FrozenSet(values) => Value::FrozenSet(sorted(values)),
        Value::Map(pairs) => {
            let mut pairs: Vec<_> =
                pairs.into_iter().map(|(key, value)| (ordered(key), ordered(value))).collect();
            pairs.sort_by_cached_key(|(key, _)| key.encode().unwrap_or_default());
            Value::Map(pairs)
        }
        other => other,
    }
}

impl JobsReply {
    /// Encodes the newest jobs that a peer with a limit on messages accepts.
    pub fn encode_within(mut self, message_bytes_max: u64) -> Vec<u8> {
        for info in &mut self.jobs {
            if let Some(error) = &mut info.error
                && error.len() > JOB_ERROR_BYTES_MAX
            {
                // The note of a shortened text is shorter than 64 bytes.
                *error = shortened(error, JOB_ERROR_BYTES_MAX - 64).into_owned();
            }
        }
        loop {
            let encoded = codec::to_vec(&self).expect("jobs are not deep");
            let (bytes, count) = (encoded.len() as u64, self.jobs.len());
            if bytes <= message_bytes_max || count == 0 {
                return encoded;
            }
            // By their average length, and at least one.
            let fit = (count as u64).saturating_mul(message_bytes_max) / bytes;
            let kept = usize::try_from(fit).unwrap_or(count).min(count - 1);
            self.jobs.truncate(kept);
            self.left_out += (count - kept) as u64;
        }
    }

    /// Decodes it; `None` if the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::from_map(bytes).filter(|reply: &Self| {
            let errors = reply.jobs.iter().filter_map(|info| info.error.as_ref());
            errors.map(String::len).all(|bytes| bytes <= JOB_ERROR_BYTES_MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{JOB_BYTES_MAX, MESSAGE_BYTES_LEAST};

    fn info(number: usize) -> JobInfo {
        JobInfo {
            job: format!("job-{number}"),
            task: "train".into(),
            state: JobState::Failed,
            submitted_ms: 1_700_000_000_000,
            began_ms: Some(1_700_000_000_001),
            ended_ms: None,
            call: Some(number as u64),
            progress: Some(Progress { done: Some(1.0), ..Progress::default() }),
            error: Some("no".into()),
            bytes: None,
        }
    }

    #[test]
    fn replies_survive_the_wire() {
        for count in [0, 1, 100] {
            let reply = JobsReply { jobs: (0..count).map(info).collect(), left_out: 7 };
            assert_eq!(JobsReply::decode(&reply.clone().encode_within(u64::MAX)), Some(reply));
        }
        let request = JobsRequest { job: Some("order-17".into()) };
        assert_eq!(JobsRequest::decode(&request.encode()), Some(request));
    }

    fn message(value: &Value) -> Payload {
        value.encode().unwrap().into()
    }

    #[test]
    fn digests_tell_submissions_apart() {
        let pickle = |data: &[u8], buffers: &[&[u8]]| Payload {
            data: Value::Pickle(data.to_vec()).encode().unwrap(),
            buffers: buffers.iter().map(|bytes| bytes.to_vec().into()).collect(),
        };
        let list = |values: &[u64]| Value::List(values.iter().map(|it| (*it).into()).collect());
        let digests = [
            digest(None, &message(&list(&[1, 2]))),
            digest(None, &message(&list(&[2, 1]))),
            digest(Some("a"), &message(&list(&[1, 2]))),
            digest(None, &pickle(b"ab", &[])),
            digest(None, &pickle(b"a", &[b"b"])),
            digest(None, &pickle(b"a", &[b"", b"b"])),
        ];
        let different: std::collections::HashSet<_> = digests.iter().flatten().collect();
        assert_eq!(different.len(), digests.len());
        assert_eq!(digests[0], digest(None, &message(&list(&[1, 2]))));
    }

    #[test]
    fn equal_arguments_have_one_digest() {
        let texts = |order: [&str; 3]| order.map(Value::from).to_vec();
        let pairs = |order: [&str; 2]| {
            Value::Map(order.map(|key| (key.into(), Value::Set(texts(["a", "b", "c"])))).to_vec())
        };
        for (one, other) in [
            (Value::Set(texts(["a", "b", "c"])), Value::Set(texts(["c", "a", "b"]))),
            (pairs(["x", "y"]), pairs(["y", "x"])),
            (
                Value::Tuple(vec![Value::FrozenSet(texts(["a", "b", "c"]))]),
                Value::Tuple(vec![Value::FrozenSet(texts(["b", "c", "a"]))]),
            ),
        ] {
            assert_eq!(digest(None, &message(&one)), digest(None, &message(&other)));
        }
        // The bytes of code differ from run to run.
        assert_eq!(digest(None, &message(&Value::Code(b"\x03\x0bcode".to_vec()))), None);
    }

    #[test]
    fn the_newest_are_told_as_far_as_they_fit() {
        let reply = JobsReply { jobs: (0..1000).map(info).collect(), left_out: 0 };
        let encoded = reply.clone().encode_within(MESSAGE_BYTES_LEAST);
        assert!(encoded.len() as u64 <= MESSAGE_BYTES_LEAST);
        let told = JobsReply::decode(&encoded).unwrap();
        assert!(!told.jobs.is_empty() && told.jobs[..] == reply.jobs[..told.jobs.len()]);
        assert_eq!(told.left_out as usize + told.jobs.len(), 1000);
    }

    #[test]
    fn the_longest_job_fits_into_any_message() {
        let text = "\u{fc}".repeat(1 << 20);
        let long = JobInfo {
            job: "j".repeat(JOB_BYTES_MAX),
            task: "t".repeat(crate::limits::METHOD_BYTES_MAX),
            error: Some(text),
            ..info(0)
        };
        let encoded =
            JobsReply { jobs: vec![long], left_out: 0 }.encode_within(MESSAGE_BYTES_LEAST);
        assert_eq!(JobsReply::decode(&encoded).unwrap().jobs.len(), 1);
    }
}

//! What the two sides of a simulated pair tell each other, at random.

use std::sync::Arc;

use bgpy_proto::limits::{DEBUG_TEXT_BYTES_MAX, LOG_BYTES_MAX, LOG_CURSOR_BYTES_MAX};
use bgpy_proto::methods::{Method, MethodKind, Runs};
use bgpy_proto::{
    AbortReply, AbortRequest, Aborted, Buffer, CallHead, Cause, Chain, DebugReply, DebugRequest,
    Delivered, Exceptions, Failure, FailureCode, Id, JobInfo, JobState, JobsReply, JobsRequest,
    LogCursor, LogPiece, LogReply, LogRequest, MethodTable, MethodsReply, Payload, Progress, State,
    Status,
};

use crate::link::Lent;
use crate::random::Random;

/// Mostly small, sometimes longer than a record, sometimes empty.
pub fn payload(random: &mut Random) -> Payload {
    let buffers = if random.one_in(3) { random.below(5) } else { 0 };
    let length = |random: &mut Random| {
        if random.one_in(20) { random.magnitude(17) } else { random.magnitude(7) }
    };
    let data = length(random);
    let data = random.bytes(data);
    let buffer = |_| {
        let bytes = length(random);
        let bytes = random.bytes(bytes);
        if random.one_in(2) { Buffer::Shared(Arc::new(Lent(bytes))) } else { bytes.into() }
    };
    Payload { data, buffers: (0..buffers).map(buffer).collect() }
}

/// A head; often an empty one, and often with a window that a few responses fill.
pub fn head(random: &mut Random) -> CallHead {
    if random.one_in(3) {
        return CallHead::default();
    }
    let ids = (0..random.below(4)).map(|id| Id([id as u8; 16]));
    CallHead {
        method: random.one_in(3).then(|| format!("method_{}", random.below(9))),
        left_ms: random.one_in(2).then(|| random.word()),
        chain: ids.fold(Chain::default(), |chain, id| chain.with(id).expect("it is short")),
        trace: random.one_in(4).then(|| format!("00-{:x}", random.word())),
        window: (!random.one_in(3)).then(|| random.magnitude(13) as u64),
        progress: random.one_in(2),
        attached: random.one_in(2),
        ..CallHead::default()
    }
}

/// Progress, of which no two are the same.
pub fn progress(random: &mut Random) -> Progress {
    let text = random.one_in(2).then_some("training");
    Progress::new(Some(random.below(1 << 52) as f64), random.one_in(2).then_some(1e9), text)
}

pub fn failure(random: &mut Random) -> Failure {
    const CODES: [FailureCode; 12] = [
        FailureCode::Task,
        FailureCode::NotInitialized,
        FailureCode::Stopping,
        FailureCode::Serialization,
        FailureCode::Refused,
        FailureCode::Overloaded,
        FailureCode::Cancelled,
        FailureCode::Expired,
        FailureCode::Deadlock,
        FailureCode::NoJob,
        FailureCode::LostJob,
        FailureCode::JobTaken,
    ];
    let text = |random: &mut Random| format!("{:x}", random.word());
    Failure {
        code: CODES[random.below(CODES.len())],
        message: text(random),
        exception: random.one_in(2).then(|| text(random)),
        traceback: random.one_in(2).then(|| text(random)),
        causes: (0..random.below(3)).map(|_| cause(random)).collect(),
        object: random.one_in(2).then(|| random.bytes(20)),
    }
}

fn cause(random: &mut Random) -> Cause {
    Cause {
        named: random.one_in(2),
        exception: "ValueError".into(),
        message: format!("{:x}", random.word()),
        object: random.one_in(2).then(|| random.bytes(20)),
    }
}

/// What has arrived of a failure's exceptions, which are taken out of what was due.
pub fn assert_exceptions(exceptions: &Exceptions, due: &mut Failure) {
    let data = |object: &Option<Delivered>| object.as_ref().map(|object| object.data().to_vec());
    assert_eq!(data(&exceptions.raised), due.object.take());
    let causes: Vec<_> = exceptions.causes.iter().map(data).collect();
    let causes_due: Vec<_> = due.causes.iter_mut().map(|cause| cause.object.take()).collect();
    assert_eq!(causes, causes_due);
}

pub fn abort_request(random: &mut Random) -> AbortRequest {
    let job = random.one_in(4).then(|| format!("job-{}", random.below(9)));
    AbortRequest { call: random.one_in(2).then(|| random.word()), job }
}

pub fn abort_reply(random: &mut Random) -> AbortReply {
    const OUTCOMES: [Aborted; 4] =
        [Aborted::Removed, Aborted::Interrupted, Aborted::Refused, Aborted::Unknown];
    AbortReply {
        outcome: OUTCOMES[random.below(OUTCOMES.len())],
        call: random.one_in(2).then(|| random.word()),
        task: random.one_in(2).then(|| "exec_task".into()),
    }
}

/// What a head says of a job.
pub fn of_job(head: CallHead, random: &mut Random) -> CallHead {
    let digest = random.one_in(2).then(|| random.bytes(32));
    let keep_ms = random.one_in(2).then(|| random.word());
    CallHead { job: Some(format!("job-{}", random.below(9))), digest, keep_ms, ..head }
}

pub fn jobs_request(random: &mut Random) -> JobsRequest {
    JobsRequest { job: random.one_in(2).then(|| format!("job-{}", random.below(9))) }
}

pub fn jobs_reply(random: &mut Random) -> JobsReply {
    const STATES: [JobState; 5] = [
        JobState::Queued,
        JobState::Running,
        JobState::Done,
        JobState::Failed,
        JobState::Cancelled,
    ];
    let info = |number: usize| JobInfo {
        job: format!("job-{number}"),
        task: "exec_task".into(),
        state: STATES[number % STATES.len()],
        submitted_ms: 1_700_000_000_000,
        began_ms: number.is_multiple_of(2).then_some(1_700_000_000_001),
        ended_ms: number.is_multiple_of(3).then_some(1_700_000_000_002),
        call: Some(number as u64),
        progress: (number % 2 == 1).then(|| progress(random)),
        error: (number % 5 == 3).then(|| "no".into()),
        bytes: (number % 5 == 2).then_some(9),
    };
    JobsReply { jobs: (0..9).map(info).collect(), left_out: 3 }
}

pub fn methods(random: &mut Random) -> MethodsReply {
    if random.one_in(4) {
        return MethodsReply::Refused { error: format!("{:x}", random.word()) };
    }
    let runs = [Runs::Exclusive, Runs::Read, Runs::Async];
    let kinds = [MethodKind::Call, MethodKind::Stream, MethodKind::Property];
    let method = |n| Method {
        name: format!("method_{n}"),
        kind: kinds[n % 3],
        runs: runs[n % 3],
        cancel: n % 2 == 0,
        parameters: (n % 2 == 0).then(Vec::new),
        returns: None,
        doc: None,
    };
    let methods = (0..random.below(9)).map(method).collect();
    let class = format!("{:x}", random.word());
    MethodsReply::Table(MethodTable { class, methods, ..MethodTable::default() })
}

pub fn debug_request(random: &mut Random) -> DebugRequest {
    match random.below(3) {
        0 => DebugRequest::Stacks,
        1 => DebugRequest::Open { prompt: random.one_in(2) },
        _ => {
            let input = random.one_in(2).then(|| "state".into());
            DebugRequest::Console { session: random.word(), after: random.word(), input }
        }
    }
}

pub fn debug_reply(random: &mut Random) -> DebugReply {
    let (text, over) = (random.below(DEBUG_TEXT_BYTES_MAX / 2), random.one_in(2));
    match random.below(3) {
        0 => DebugReply::refused(format!("{:x}", random.word())),
        1 => DebugReply::Stacks { stacks: "x".repeat(text) },
        _ => {
            let (output, reads) = (random.bytes(text), over.then(|| ">>> ".into()));
            DebugReply::Console { output, after: random.word(), reads, over }
        }
    }
}

pub fn log_request(random: &mut Random) -> LogRequest {
    match random.below(4) {
        0 => LogRequest::Start,
        1 => LogRequest::LastLines(random.word()),
        2 => LogRequest::Since(random.word() as i64),
        _ => LogRequest::After(log_cursor(random)),
    }
}

pub fn log_reply(random: &mut Random) -> LogReply {
    if random.one_in(4) {
        return LogReply::Unreadable(format!("{:x}", random.word()));
    }
    let text = random.below(LOG_BYTES_MAX + 1);
    let (text, more) = (random.bytes(text), random.one_in(2));
    LogReply::Piece(LogPiece { text, after: log_cursor(random), more })
}

fn log_cursor(random: &mut Random) -> LogCursor {
    let length = random.below(LOG_CURSOR_BYTES_MAX + 1);
    LogCursor::new(random.bytes(length)).expect("it is short enough")
}

pub fn status(random: &mut Random) -> Status {
    const STATES: [State; 5] =
        [State::Starting, State::Uninitialized, State::Ready, State::Busy, State::Stopping];
    Status {
        state: STATES[random.below(STATES.len())],
        task: random.one_in(2).then(|| "exec_task".into()),
        busy_s: random.one_in(2).then(|| random.below(1000) as f64 / 8.0),
        queue: random.word(),
        calls: random.word(),
        clients: random.magnitude(20) as u64,
        uptime_s: random.magnitude(30) as f64 / 8.0,
        cpu_s: random.one_in(2).then(|| random.below(1000) as f64 / 8.0),
        pid: random.magnitude(22) as u64,
        rss_bytes: random.one_in(2).then(|| random.word()),
        name: random.one_in(2).then(|| "trainer".into()),
        call: random.one_in(2).then(|| random.word()),
        progress: random.one_in(2).then(|| progress(random)),
    }
}

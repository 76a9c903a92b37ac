//! The maps that the two sides send to each other.

use bgpy_proto::limits::LOG_CURSOR_BYTES_MAX;
use bgpy_proto::methods::{Method, MethodKind, Parameter, ParameterKind, Runs};
use bgpy_proto::{
    AbortReply, AbortRequest, Aborted, CallHead, Cause, Chain, DebugReply, DebugRequest, Failure,
    FailureCode, Id, JobInfo, JobState, JobsReply, JobsRequest, LogCursor, LogPiece, LogReply,
    LogRequest, MethodTable, MethodsReply, Progress, State, Status,
};

use crate::random::Random;

pub fn failure() -> Failure {
    Failure {
        exception: Some("ValueError".into()),
        traceback: Some("Traceback".into()),
        causes: [Cause {
            named: true,
            exception: "KeyError".into(),
            message: "'a'".into(),
            object: Some(vec![1, 2, 3]),
        }]
        .into(),
        object: Some(vec![1, 2, 3]),
        ..Failure::new(FailureCode::Task, "no")
    }
}

pub fn status() -> Status {
    Status {
        state: State::Busy,
        task: Some("exec_task".into()),
        busy_s: Some(0.5),
        queue: 1,
        calls: 1 << 40,
        clients: 3,
        uptime_s: 1e6,
        cpu_s: Some(1e3),
        pid: 77,
        rss_bytes: Some(1 << 30),
        name: Some("trainer".into()),
        call: Some(7),
        progress: Some(Progress::new(Some(0.5), None, Some("training"))),
    }
}

pub fn debug_request(random: &mut Random) -> DebugRequest {
    let (session, after) = (random.word(), random.word());
    match random.below(5) {
        0 => DebugRequest::Stacks,
        1 => DebugRequest::Open { prompt: random.one_in(2) },
        2 => DebugRequest::Interrupt { session },
        3 => DebugRequest::Close { session },
        _ => {
            let input = random.one_in(2).then(|| "state".into());
            DebugRequest::Console { session, after, input }
        }
    }
}

pub fn debug_reply(random: &mut Random) -> DebugReply {
    match random.below(5) {
        0 => DebugReply::refused("there is no such session"),
        1 => DebugReply::Stacks { stacks: "MainThread".into() },
        2 => {
            let place = random.one_in(2).then(|| "exec_task at tasks.py:12".into());
            DebugReply::Opened {
                opened: random.word(),
                after: random.word(),
                place,
                about: "a prompt".into(),
            }
        }
        3 => DebugReply::Done { done: true },
        _ => {
            let output = random.magnitude(5);
            let reads = random.one_in(2).then(|| ">>> ".into());
            let (output, over) = (random.bytes(output), random.one_in(2));
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
    if random.one_in(8) {
        return LogReply::Unreadable("it logs to no file".into());
    }
    let text = random.magnitude(5);
    let (text, more) = (random.bytes(text), random.one_in(2));
    LogReply::Piece(LogPiece { text, after: log_cursor(random), more })
}

fn log_cursor(random: &mut Random) -> LogCursor {
    let length = random.below(LOG_CURSOR_BYTES_MAX + 1);
    LogCursor::new(random.bytes(length)).expect("it is short enough")
}

pub fn head(random: &mut Random) -> CallHead {
    let chain = Chain::default().with(Id([9; 16])).filter(|_| random.one_in(2));
    CallHead {
        method: random.one_in(3).then(|| "increase".into()),
        left_ms: random.one_in(2).then(|| random.word()),
        chain: chain.unwrap_or_default(),
        trace: random.one_in(4).then(|| format!("00-{:x}-01", random.word())),
        window: random.one_in(2).then(|| random.magnitude(10) as u64),
        progress: random.one_in(2),
        attached: random.one_in(2),
        job: random.one_in(6).then(|| "order-17".into()),
        digest: random.one_in(6).then(|| vec![7; 32]),
        keep_ms: random.one_in(6).then(|| random.word()),
    }
}

pub fn jobs_request(random: &mut Random) -> JobsRequest {
    JobsRequest { job: random.one_in(2).then(|| "order-17".into()) }
}

pub fn jobs_reply(random: &mut Random) -> JobsReply {
    const STATES: [JobState; 5] = [
        JobState::Queued,
        JobState::Running,
        JobState::Done,
        JobState::Failed,
        JobState::Cancelled,
    ];
    let info = JobInfo {
        job: "order-17".into(),
        task: "exec_task".into(),
        state: STATES[random.below(STATES.len())],
        submitted_ms: 1_700_000_000_000,
        began_ms: random.one_in(2).then_some(-1),
        ended_ms: random.one_in(2).then_some(1),
        call: random.one_in(2).then(|| random.word()),
        progress: random.one_in(2).then(|| Progress::new(Some(1.0), None, None)),
        error: random.one_in(2).then(|| "no".into()),
        bytes: random.one_in(2).then(|| random.word()),
    };
    JobsReply { jobs: vec![info; random.below(3)], left_out: random.below(3) as u64 }
}

pub fn progress(random: &mut Random) -> Progress {
    let text = random.one_in(2).then_some("training");
    Progress::new(Some(f64::from_bits(random.word())), random.one_in(2).then_some(8.0), text)
}

pub fn methods_reply(random: &mut Random) -> MethodsReply {
    if random.one_in(4) {
        return MethodsReply::Refused { error: format!("{:x}", random.word()) };
    }
    let parameter = Parameter {
        name: "by".into(),
        kind: ParameterKind::Any,
        default: random.one_in(2).then(|| "1".into()),
        annotation: None,
    };
    let method = Method {
        name: "increase".into(),
        kind: [MethodKind::Call, MethodKind::Stream, MethodKind::Property][random.below(3)],
        runs: [Runs::Exclusive, Runs::Read, Runs::Async][random.below(3)],
        cancel: random.one_in(2),
        parameters: random.one_in(2).then(|| vec![parameter]),
        returns: None,
        doc: Some("Add.".into()),
    };
    let methods = vec![method; random.below(3)];
    MethodsReply::Table(MethodTable { class: "Counter".into(), methods, ..MethodTable::default() })
}

pub fn abort_request(random: &mut Random) -> AbortRequest {
    let job = random.one_in(4).then(|| "order-17".into());
    AbortRequest { call: random.one_in(2).then(|| random.word()), job }
}

pub fn abort_reply(random: &mut Random) -> AbortReply {
    const OUTCOMES: [Aborted; 4] =
        [Aborted::Removed, Aborted::Interrupted, Aborted::Refused, Aborted::Unknown];
    let (call, task) = (random.one_in(2).then(|| random.word()), "exec_task".to_owned());
    AbortReply { outcome: OUTCOMES[random.below(4)], call, task: Some(task) }
}

//! What the protocol itself encodes in the payload codec.

use bgpy_proto::methods::{
    Method, MethodKind, MethodTable, MethodsReply, Parameter, ParameterKind, Runs,
};
use bgpy_proto::{
    AbortReply, AbortRequest, Aborted, CallHead, Cause, Chain, ClientHello, DebugReply,
    DebugRequest, Failure, FailureCode, Id, JobInfo, JobState, JobsReply, JobsRequest, LogCursor,
    LogPiece, LogReply, LogRequest, Progress, ServerHello, State, Status,
};

use crate::vectors::{assert_all, vectors};

#[test]
fn messages() {
    let mut vectors = vectors(include_str!("message.hex"));
    // The hellos are seen inside the handshakes.
    for hello in ["client hello", "server hello"] {
        assert!(vectors.remove(hello).is_some());
    }
    let codes = [
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
    let mut made = Vec::new();
    let mut failures = codes.map(|code| (code.as_str(), Failure::new(code, "no"))).to_vec();
    let full = Failure {
        code: FailureCode::Task,
        message: "bad value".into(),
        exception: Some("ValueError".into()),
        traceback: Some("Traceback ...".into()),
        causes: Box::default(),
        object: Some(vec![0xc0]),
    };
    let cause = Cause {
        named: true,
        exception: "KeyError".into(),
        message: "'a'".into(),
        object: Some(vec![0xc0]),
    };
    let context = Cause { named: false, object: None, ..cause.clone() };
    let caused = Failure { causes: [cause, context].into(), ..full.clone() };
    failures.extend([("full", full), ("caused", caused)]);
    for (name, failure) in failures {
        let name = format!("failure {name}");
        assert_eq!(Failure::decode(&vectors[&name]).as_ref(), Some(&failure));
        made.push((name, failure.encode()));
    }
    let idle = [State::Starting, State::Uninitialized, State::Ready, State::Stopping];
    for state in idle.into_iter().chain([State::Busy]) {
        let (name, status) = (format!("status {state}"), status(state));
        assert_eq!(Status::decode(&vectors[&name]).as_ref(), Some(&status));
        made.push((name, status.encode()));
    }
    for (name, request) in [
        ("start", LogRequest::Start),
        ("last lines", LogRequest::LastLines(100)),
        ("since", LogRequest::Since(1_767_225_600_000)),
        ("after", LogRequest::After(log_cursor())),
    ] {
        let name = format!("log request {name}");
        assert_eq!(LogRequest::decode(&vectors[&name]).as_ref(), Some(&request));
        made.push((name, request.encode()));
    }
    let end = LogPiece { text: Vec::new(), after: log_cursor(), more: false };
    for (name, reply) in [
        ("piece", log_piece()),
        ("end", LogReply::Piece(end)),
        ("error", LogReply::Unreadable("it logs to no file".into())),
    ] {
        let name = format!("log reply {name}");
        assert_eq!(LogReply::decode(&vectors[&name]).as_ref(), Some(&reply));
        made.push((name, reply.encode()));
    }
    let sessions = [
        ("stacks", DebugRequest::Stacks),
        ("open", DebugRequest::Open { prompt: true }),
        ("console", debug_request()),
        ("console silent", DebugRequest::Console { session: 3, after: 0, input: None }),
        ("interrupt", DebugRequest::Interrupt { session: 3 }),
        ("close", DebugRequest::Close { session: 1 << 63 }),
    ];
    for (name, request) in sessions {
        let name = format!("debug request {name}");
        assert_eq!(DebugRequest::decode(&vectors[&name]).as_ref(), Some(&request));
        made.push((name, request.encode()));
    }
    for (name, reply) in debug_replies() {
        let name = format!("debug reply {name}");
        assert_eq!(DebugReply::decode(&vectors[&name]).as_ref(), Some(&reply));
        made.push((name, reply.encode_within(u64::MAX)));
    }
    for (name, head) in [
        ("deadline", deadline()),
        ("method", method()),
        ("job", job()),
        ("awaited job", awaited()),
        ("full", head()),
    ] {
        let name = format!("head {name}");
        let mut data = vectors[&name].clone();
        assert_eq!(CallHead::split_from(&mut data).as_ref(), Ok(&head));
        assert!(data.is_empty());
        made.push((name, head.encode().expect("it is short")));
    }
    for (name, progress) in [("full", progress()), ("none", Progress::default())] {
        let name = format!("progress {name}");
        assert_eq!(Progress::decode(&vectors[&name]).as_ref(), Some(&progress));
        made.push((name, progress.encode()));
    }
    for (name, call, job) in
        [("one", Some(7), None), ("running", None, None), ("job", None, Some("order-17"))]
    {
        let job = job.map(str::to_owned);
        let (name, request) = (format!("abort {name}"), AbortRequest { call, job });
        assert_eq!(AbortRequest::decode(&vectors[&name]).as_ref(), Some(&request));
        made.push((name, request.encode()));
    }
    for (name, outcome, call, task) in [
        ("removed", Aborted::Removed, Some(7), Some("exec_task")),
        ("interrupted", Aborted::Interrupted, Some(1 << 63), Some("init_task")),
        ("refused", Aborted::Refused, Some(0), Some("exit_task")),
        ("unknown", Aborted::Unknown, None, None),
    ] {
        let reply = AbortReply { outcome, call, task: task.map(str::to_owned) };
        let name = format!("abort reply {name}");
        assert_eq!(AbortReply::decode(&vectors[&name]).as_ref(), Some(&reply));
        made.push((name, reply.encode()));
    }
    let none = MethodsReply::Refused { error: "it runs tasks, which have no methods".into() };
    for (name, reply) in [("table", methods()), ("error", none)] {
        let name = format!("methods {name}");
        assert_eq!(MethodsReply::decode(&vectors[&name]).as_ref(), Some(&reply));
        made.push((name, reply.encode_within(u64::MAX)));
    }
    for (name, job) in [("all", None), ("one", Some("order-17"))] {
        let request = JobsRequest { job: job.map(str::to_owned) };
        let name = format!("jobs request {name}");
        assert_eq!(JobsRequest::decode(&vectors[&name]).as_ref(), Some(&request));
        made.push((name, request.encode()));
    }
    for (name, reply) in [("some", jobs()), ("none", JobsReply::default())] {
        let name = format!("jobs {name}");
        assert_eq!(JobsReply::decode(&vectors[&name]).as_ref(), Some(&reply));
        made.push((name, reply.encode_within(u64::MAX)));
    }
    assert_all(made, vectors);
}

/// The jobs of the vectors: one that has failed, and one that runs.
pub fn jobs() -> JobsReply {
    let failed = JobInfo {
        job: "order-17".into(),
        task: "exec_task".into(),
        state: JobState::Failed,
        submitted_ms: 1_767_225_600_000,
        began_ms: Some(1_767_225_600_001),
        ended_ms: Some(1_767_225_600_500),
        call: Some(7),
        progress: None,
        error: Some("ValueError: no".into()),
        bytes: None,
    };
    let running = JobInfo {
        job: "0909-3-5ad2c2a4b911".into(),
        task: "train".into(),
        state: JobState::Running,
        ended_ms: None,
        call: Some(8),
        progress: Some(progress()),
        error: None,
        ..failed.clone()
    };
    JobsReply { jobs: vec![running, failed], left_out: 2 }
}

/// The head of a job that is submitted.
pub fn job() -> CallHead {
    CallHead {
        method: Some("train".into()),
        job: Some("order-17".into()),
        digest: Some(vec![7; 32]),
        keep_ms: Some(60_000),
        ..CallHead::default()
    }
}

/// The head of whoever waits for it.
pub fn awaited() -> CallHead {
    CallHead { progress: true, job: Some("order-17".into()), ..CallHead::default() }
}

/// The fullest head of the vectors.
pub fn head() -> CallHead {
    let chain = [9, 8].into_iter().fold(Chain::default(), |chain, server| {
        chain.with(Id([server; 16])).expect("it is short enough")
    });
    CallHead {
        method: Some("words".into()),
        left_ms: Some(1500),
        chain,
        trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        window: Some(48),
        progress: true,
        attached: true,
        ..CallHead::default()
    }
}

/// The head of a method's call.
pub fn method() -> CallHead {
    CallHead { method: Some("increase".into()), attached: true, ..CallHead::default() }
}

/// The methods of the vectors.
pub fn methods() -> MethodsReply {
    let parameter = |name: &str, kind, default: Option<&str>, annotation: Option<&str>| Parameter {
        name: name.into(),
        kind,
        default: default.map(str::to_owned),
        annotation: annotation.map(str::to_owned),
    };
    let increase = Method {
        name: "increase".into(),
        kind: MethodKind::Call,
        runs: Runs::Exclusive,
        cancel: true,
        parameters: Some(vec![
            parameter("by", ParameterKind::Any, Some("1"), Some("int")),
            parameter("more", ParameterKind::Rest, None, None),
        ]),
        returns: Some("int".into()),
        doc: Some("Add.".into()),
    };
    let double = Method {
        name: "double".into(),
        kind: MethodKind::Property,
        runs: Runs::Read,
        cancel: false,
        parameters: None,
        returns: None,
        doc: None,
    };
    MethodsReply::Table(MethodTable {
        class: "Counter".into(),
        module: Some("counter".into()),
        doc: None,
        methods: vec![increase, double],
    })
}

/// A head that says one thing.
pub fn deadline() -> CallHead {
    CallHead { left_ms: Some(0), ..CallHead::default() }
}

/// The progress of the vectors.
pub fn progress() -> Progress {
    Progress::new(Some(3.0), Some(10.0), Some("training"))
}

fn debug_replies() -> [(&'static str, DebugReply); 7] {
    let place = Some("run at tasks.py:12".to_owned());
    let (output, after) = (Vec::new(), 70_010);
    [
        ("stacks", DebugReply::Stacks { stacks: "MainThread\n".into() }),
        ("breakpoint", DebugReply::Opened { opened: 3, after: 70_000, place, about: "pdb".into() }),
        (
            "prompt",
            DebugReply::Opened { opened: 4, after: 0, place: None, about: "a prompt".into() },
        ),
        ("console", debug_reply()),
        ("over", DebugReply::Console { output, after, reads: None, over: true }),
        ("done", DebugReply::Done { done: true }),
        ("error", DebugReply::refused("there is no such session")),
    ]
}

/// The debug request of the vectors.
pub fn debug_request() -> DebugRequest {
    DebugRequest::Console { session: 3, after: 70_000, input: Some("state".into()) }
}

/// The debug reply of the vectors.
pub fn debug_reply() -> DebugReply {
    let (output, reads) = (b"{'a': 1}\n\xff".to_vec(), Some(">>> ".to_owned()));
    DebugReply::Console { output, after: 70_010, reads, over: false }
}

/// The piece of a log of the vectors.
pub fn log_piece() -> LogReply {
    let text = b"a line\nand \xff".to_vec();
    LogReply::Piece(LogPiece { text, after: log_cursor(), more: true })
}

fn log_cursor() -> LogCursor {
    LogCursor::new((0..41).collect()).expect("it is short enough")
}

/// The status of the vectors.
pub fn status(state: State) -> Status {
    let is_busy = state == State::Busy;
    Status {
        state,
        task: is_busy.then(|| "exec_task".into()),
        busy_s: is_busy.then_some(0.25),
        queue: 3,
        calls: 1 << 63,
        clients: 2,
        uptime_s: 86_400.5,
        cpu_s: is_busy.then_some(12.5),
        pid: 4242,
        rss_bytes: is_busy.then_some(1 << 25),
        name: is_busy.then(|| "trainer".into()),
        call: is_busy.then_some(7),
        progress: is_busy.then(progress),
    }
}

/// The pinned bytes of a hello, which the crate sends inside its handshake only.
pub trait Hello {
    /// Name of the vector.
    const NAME: &str;
}

impl Hello for ClientHello {
    const NAME: &str = "client hello";
}

impl Hello for ServerHello {
    const NAME: &str = "server hello";
}

/// The vector of a hello.
pub fn hello_of<H: Hello>(_: &H) -> Vec<u8> {
    vectors(include_str!("message.hex"))[H::NAME].clone()
}

//! What the protocol itself encodes in the payload codec.

use bgpy_proto::{
    ClientHello, DebugReply, DebugRequest, Failure, FailureCode, LogCursor, LogPiece, LogReply,
    LogRequest, ServerHello, State, Status,
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
    ];
    let mut made = Vec::new();
    let mut failures = codes.map(|code| (code.as_str(), Failure::new(code, "no"))).to_vec();
    let full = Failure {
        code: FailureCode::Task,
        message: "bad value".into(),
        exception: Some("ValueError".into()),
        traceback: Some("Traceback ...".into()),
        object: Some(vec![0xc0]),
    };
    failures.push(("full", full));
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
    assert_all(made, vectors);
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

//! Each kind of frame, as sessions write it.

use std::collections::VecDeque;
use std::sync::Arc;

use bgpy_proto::client::Event;
use bgpy_proto::codec::Value;
use bgpy_proto::frame::flag;
use bgpy_proto::framing::Framing;
use bgpy_proto::limits::MESSAGE_BYTES_MAX;
use bgpy_proto::{
    AbortReply, AbortRequest, Aborted, Buffer, CallHead, CallKind, ClientSession, Failure,
    FailureCode, Frame, JobsRequest, Kind, LogRequest, Memory, Payload, Request, ServerSession,
    State, Supply, Want,
};

use crate::link::{connect, drain};
use crate::message::{
    awaited, deadline, debug_reply, debug_request, head, job, jobs, log_piece, method, methods,
    progress, status,
};
use crate::vectors::{assert_all, vectors};

/// The highest number of a segment.
const SEGMENT: u16 = 0x7fff;

/// Offers a segment for what is at least as long as the word that it holds.
#[derive(Debug)]
struct Segments;

#[derive(Debug)]
struct Filled;

impl Memory for Filled {
    fn as_slice(&self) -> &[u8] {
        b"buffer"
    }

    fn as_mut_ptr(&self) -> *mut u8 {
        unreachable!("nobody writes")
    }
}

impl Supply for Segments {
    fn has_segments(&self) -> bool {
        true
    }

    fn take(&mut self, segment: u16, bytes: usize) -> Option<Arc<dyn Memory>> {
        assert_eq!((segment, bytes), (SEGMENT, Filled.as_slice().len()));
        Some(Arc::new(Filled))
    }

    fn missed(&mut self, bytes: usize) -> Option<u16> {
        (bytes >= Filled.as_slice().len()).then_some(SEGMENT)
    }
}

/// What two sessions say to one another.
struct Conversation {
    client: ClientSession,
    server: ServerSession,
    /// The name of each vector, what was written, and the frame that it is.
    spoken: Vec<(&'static str, Vec<u8>, Frame)>,
}

#[test]
fn frames() {
    let vectors = vectors(include_str!("frame.hex"));
    let mut made = Vec::new();
    for (name, bytes, frame) in conversation() {
        let mut frames = VecDeque::new();
        let mut framing = Framing::new(MESSAGE_BYTES_MAX);
        framing.supply_with(Box::new(Segments));
        framing.feed(&vectors[name], &mut frames).expect("the vector is a frame");
        assert_eq!(frames, [frame], "{name}");
        assert!(framing.at_boundary(), "{name}");
        made.push((name.to_owned(), bytes));
    }
    assert_all(made, vectors);
}

fn conversation() -> Vec<(&'static str, Vec<u8>, Frame)> {
    let (mut client, mut server) = connect();
    client.supply_with(Box::new(Segments));
    server.supply_with(Box::new(Segments));
    let mut talk = Conversation { client, server, spoken: Vec::new() };
    let kinds = [
        (CallKind::Init, Kind::Init, "init", ["init ack", "init first", "init all"]),
        (CallKind::Exec, Kind::Exec, "exec", ["exec ack", "exec first", "exec all"]),
        (CallKind::Exit, Kind::Exit, "exit", ["exit ack", "exit first", "exit all"]),
    ];
    for (call, kind, data, names) in kinds {
        for (name, want) in names.into_iter().zip([Want::Ack, Want::First, Want::All]) {
            talk.call(name, call, kind, want, payload(data, &[]));
        }
    }
    let (exec, kind) = (CallKind::Exec, Kind::Exec);
    talk.call("exec two buffers", exec, kind, Want::All, payload("data", &["first", "2nd"]));
    talk.call("exec empty buffers", exec, kind, Want::All, payload("", &["", ""]));
    talk.client.cancel(11);
    talk.asked("cancel", Frame::bare(Kind::Cancel, 11));
    assert_eq!(talk.client.ping(), 12);
    talk.asked("ping", Frame::bare(Kind::Ping, 12));
    // The session answers a ping by itself.
    talk.answered("pong", Frame::bare(Kind::Pong, 12));
    assert_eq!(talk.client.status(), 13);
    talk.asked("status", Frame::bare(Kind::Status, 13));
    let request = LogRequest::LastLines(100);
    assert_eq!(talk.client.log(&request), 14);
    talk.asked("log", frame(Kind::Log, 14, 0, 0, request.encode().into()));
    talk.call("exec large buffer", exec, kind, Want::Ack, payload("data", &["buffer"]));
    let offer = u32::from(SEGMENT);
    talk.answered("server offer", frame(Kind::ServerOffer, 0, 0, offer, Payload::default()));
    let mut lent = payload("data", &["buffer", "2nd"]);
    lent.buffers[0] = Buffer::Lent { segment: SEGMENT, memory: Arc::new(Filled) };
    talk.call("exec lent buffer", exec, kind, Want::Ack, lent);
    talk.passes_on_what_was_lent();
    let request = debug_request();
    assert_eq!(talk.client.debug(&request), 17);
    talk.asked("debug", frame(Kind::Debug, 17, 0, 0, request.encode().into()));
    talk.call_headed("exec head", Want::All, &head(), "data");
    talk.call_headed("exec head alone", Want::First, &deadline(), "");
    for (name, id, call) in [("abort", 20, Some(7)), ("abort running", 21, None)] {
        let request = AbortRequest { call, job: None };
        assert_eq!(talk.client.abort(&request), id);
        talk.asked(name, frame(Kind::Abort, id, 0, 0, request.encode().into()));
    }
    assert_eq!(talk.client.methods(), 22);
    talk.asked("methods", Frame::bare(Kind::Methods, 22));
    talk.call_headed("exec method", Want::All, &method(), "data");
    talk.call_headed("exec job", Want::Ack, &job(), "data");
    talk.call_headed("exec awaited job", Want::First, &awaited(), "\u{0}");
    let request = JobsRequest { job: Some("order-17".into()) };
    assert_eq!(talk.client.jobs(&request), 26);
    talk.asked("jobs", frame(Kind::Jobs, 26, 0, 0, request.encode().into()));

    talk.server.ack(1);
    talk.answered("ack", Frame::bare(Kind::Ack, 1));
    let (last, error) = (flag::LAST, flag::USER_ERROR);
    talk.respond("response", 3, 0, 0, payload("one", &[]));
    talk.respond("response error", 3, error, 1, payload("two", &["buffer"]));
    talk.asked("client offer", frame(Kind::ClientOffer, 0, 0, offer, Payload::default()));
    talk.respond("response outside", 3, 0, 2, outside());
    talk.respond("response last", 2, last, 0, payload("only", &[]));
    talk.respond("response error last", 5, last | error, 0, payload("only", &[]));
    let failure = Failure::new(FailureCode::Stopping, "the server ends");
    assert!(talk.server.fail(6, &failure));
    talk.answered("error", frame(Kind::Error, 6, 0, 0, failure.encode().into()));
    talk.server.end(9, false);
    talk.answered("end", Frame::bare(Kind::End, 9));
    talk.server.end(3, true);
    talk.answered("end already", frame(Kind::End, 3, flag::ALREADY, 0, Payload::default()));
    let status = status(State::Ready);
    talk.server.status(13, &status);
    talk.answered("status reply", frame(Kind::StatusReply, 13, 0, 0, status.encode().into()));
    let piece = log_piece();
    talk.server.log(14, &piece);
    talk.answered("log reply", frame(Kind::LogReply, 14, 0, 0, piece.encode().into()));
    let reply = debug_reply();
    talk.server.debug(17, &reply);
    let data = reply.encode_within(u64::MAX).into();
    talk.answered("debug reply", frame(Kind::DebugReply, 17, 0, 0, data));
    talk.streams(18);
    for (name, id, outcome, call, task) in [
        ("abort reply", 20, Aborted::Removed, Some(7), Some("exec_task".to_owned())),
        ("abort reply unknown", 21, Aborted::Unknown, None, None),
    ] {
        let reply = AbortReply { outcome, call, task };
        talk.server.aborted(id, &reply);
        talk.answered(name, frame(Kind::AbortReply, id, 0, 0, reply.encode().into()));
    }
    talk.server.methods(22, &methods());
    let data = methods().encode_within(u64::MAX).into();
    talk.answered("methods reply", frame(Kind::MethodsReply, 22, 0, 0, data));
    assert_eq!(talk.server.respond_last(23, payload("all", &[])), Ok(true));
    talk.answered("response result", frame(Kind::Response, 23, last, 0, payload("all", &[])));
    talk.server.ack(24);
    talk.answered("ack job", Frame::bare(Kind::Ack, 24));
    let failure = Failure::new(FailureCode::NoJob, "there is none");
    assert!(talk.server.fail(25, &failure));
    talk.answered("error no job", frame(Kind::Error, 25, 0, 0, failure.encode().into()));
    talk.server.jobs(26, jobs());
    let data = jobs().encode_within(u64::MAX).into();
    talk.answered("jobs reply", frame(Kind::JobsReply, 26, 0, 0, data));
    talk.server.say_goodbye();
    talk.answered("goodbye", Frame::bare(Kind::Goodbye, 26));
    talk.spoken
}

impl Conversation {
    fn call(
        &mut self,
        name: &'static str,
        call: CallKind,
        kind: Kind,
        want: Want,
        payload: Payload,
    ) {
        let id = self.client.call(call, want, payload.clone()).expect("the buffers are few");
        self.asked(name, frame(kind, id, want as u8, 0, payload));
    }

    fn call_headed(&mut self, name: &'static str, want: Want, head: &CallHead, message: &str) {
        let message = payload(message, &[]);
        let id = self.client.call_headed(CallKind::Exec, want, head, message.clone());
        let data = [head.encode().expect("it is short"), message.data].concat();
        let flags = want as u8 | flag::HEAD;
        let id = id.expect("the head is short");
        self.asked(name, frame(Kind::Exec, id, flags, 0, data.into()));
    }

    /// What is said during a call with a head.
    fn streams(&mut self, call: u64) {
        // Another offer, because of a buffer among the responses.
        drain(&mut self.client.outbox);
        self.server.progress(call, &progress());
        self.answered("progress", frame(Kind::Progress, call, 0, 0, progress().encode().into()));
        let plain = Value::Tuple(vec![
            2_u64.into(),
            Value::Tuple(vec!["a".into()]),
            Value::from([("b", 1_u64.into())]),
        ]);
        let plain = Payload::from(plain.encode().expect("it is flat"));
        let buffered = b"\xd7\x02\0\xc7\x03\x02\xd4\x05\x01\x80".to_vec();
        let buffered = Payload { data: buffered, ..payload("", &["buf"]) };
        for (number, name, message) in [(0, "callback", plain), (1, "callback buffer", buffered)] {
            assert_eq!(self.server.callback(call, message.clone()), Ok(Some(number)));
            self.answered(name, frame(Kind::Callback, call, 0, number, message));
        }
        let returned = Payload::from(b"\xa4done".to_vec());
        self.client.return_from_callback(call, 1, Ok(returned.clone())).expect("it is short");
        self.asked("callback reply", frame(Kind::CallbackReply, call, 0, 1, returned));
        let failure = Failure {
            exception: Some("ValueError".into()),
            ..Failure::new(FailureCode::Task, "no")
        };
        self.client.return_from_callback(call, 0, Err(&failure)).expect("it is short");
        let data = failure.encode().into();
        let failed = frame(Kind::CallbackReply, call, flag::FAILED, 0, data);
        self.asked("callback reply failed", failed);
        self.respond("response of a stream", call, 0, 0, payload("one", &[]));
        while !matches!(self.client.poll(call), Some(Event::Response { .. })) {}
        let taken = 27_u64.to_le_bytes().to_vec();
        self.asked("credit", frame(Kind::Credit, call, 0, 0, taken.into()));
        self.client.interrupt(call);
        let cancel = frame(Kind::Cancel, call, flag::ANSWER, 0, Payload::default());
        self.asked("cancel answer", cancel);
        let failure = Failure::new(FailureCode::Cancelled, "the call was cancelled");
        assert!(self.server.fail(call, &failure));
        self.answered("error cancelled", frame(Kind::Error, call, 0, 0, failure.encode().into()));
    }

    fn respond(&mut self, name: &'static str, call: u64, flags: u8, seq: u32, payload: Payload) {
        let error = flags & flag::USER_ERROR != 0;
        assert_eq!(self.server.respond(call, payload.clone(), error), Ok(true));
        self.answered(name, frame(Kind::Response, call, flags, seq, payload));
    }

    /// What came in a segment is sent on by the stream: the receiver has no such segment.
    fn passes_on_what_was_lent(&mut self) {
        let mut requests = std::iter::from_fn(|| self.server.poll());
        let message = requests.find_map(|request| match request {
            Request::Call { id: 16, message, .. } => Some(message),
            _ => None,
        });
        let (data, buffers) = message.expect("the call has come").into_parts();
        assert!(!buffers.iter().any(|buffer| matches!(buffer, Buffer::Lent { .. })));
        let (mut client, mut server) = connect();
        client.call(CallKind::Exec, Want::Ack, Payload { data, buffers }).expect("they are few");
        server.feed(&drain(&mut client.outbox)).expect("it needs no segment");
    }

    fn asked(&mut self, name: &'static str, frame: Frame) {
        let bytes = drain(&mut self.client.outbox);
        self.server.feed(&bytes).expect("an honest client is understood");
        self.spoken.push((name, bytes, frame));
    }

    fn answered(&mut self, name: &'static str, frame: Frame) {
        let bytes = drain(&mut self.server.outbox);
        self.client.feed(&bytes).expect("an honest server is understood");
        self.spoken.push((name, bytes, frame));
    }
}

fn frame(kind: Kind, call: u64, flags: u8, seq: u32, payload: Payload) -> Frame {
    Frame { flags, seq, payload, ..Frame::bare(kind, call) }
}

/// A list of a text, bytes and a bytearray that are buffers.
fn outside() -> Payload {
    let data = b"\x93\xd4\x05\0\xd4\x05\x01\xd4\x05\x02".to_vec();
    let outside = Payload { data, ..payload("", &["grüße", "bytes", ""]) };
    let (text, bytes) = (Value::from("grüße"), Value::Bytes(b"bytes".to_vec()));
    let expected = Value::List(vec![text, bytes, Value::ByteArray(Vec::new())]);
    assert_eq!(Value::decode_with(&outside.data, &outside.buffers), Ok(expected));
    outside
}

fn payload(data: &str, buffers: &[&str]) -> Payload {
    let buffers = buffers.iter().map(|buffer| buffer.as_bytes().to_vec().into()).collect();
    Payload { data: data.into(), buffers }
}

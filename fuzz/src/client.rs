//! A client's session that is fed with anything.

use std::collections::{BTreeMap, VecDeque};

use bgpy_proto::client::Event;
use bgpy_proto::framing::Framing;
use bgpy_proto::limits::MESSAGE_BYTES_MAX;
use bgpy_proto::{
    AbortReply, AbortRequest, CallHead, CallKind, ClientSession, DebugReply, DebugRequest, Failure,
    Frame, JobsReply, JobsRequest, Kind, LogReply, LogRequest, MethodsReply, Payload, Progress,
    Status, Want,
};

use super::session::{check_failure, check_message, connect, drain, weight};

/// Window of a stream: several small responses, or a large one.
const WINDOW: u64 = 400;

/// A client's session, and the same bytes read a second time.
pub struct Client {
    session: ClientSession,
    framing: Framing,
    /// The ids that wait for an answer.
    pub asked: Vec<u64>,
    /// Streams, forgotten ones too: what has arrived of them, and what was credited.
    streams: BTreeMap<u64, (u64, u64)>,
}

impl Client {
    /// Shakes hands.
    pub fn connect() -> Self {
        let (session, framing) = (connect().0, Framing::new(MESSAGE_BYTES_MAX));
        Self { session, framing, asked: Vec::new(), streams: BTreeMap::new() }
    }

    /// Forgets what was asked before, and asks for one thing of each sort.
    pub fn ask(&mut self) {
        self.asked.drain(..).for_each(|id| self.session.forget(id));
        for want in [Want::Ack, Want::First, Want::All] {
            let id = self.session.call(CallKind::Exec, want, Payload::default());
            self.asked.push(id.expect("it has no buffers"));
        }
        self.asked.push(self.session.ping());
        self.asked.push(self.session.status());
        self.asked.push(self.session.log(&LogRequest::Start));
        self.asked.push(self.session.debug(&DebugRequest::Stacks));
        let head = CallHead { window: Some(WINDOW), progress: true, ..CallHead::default() };
        let payload = Payload::default();
        let id = self.session.call_headed(CallKind::Exec, Want::All, &head, payload);
        let id = id.expect("it is short");
        self.asked.push(id);
        self.asked.push(self.session.abort(&AbortRequest::default()));
        self.asked.push(self.session.methods());
        self.asked.push(self.session.jobs(&JobsRequest::default()));
        drain(&mut self.session.outbox);
        self.streams.insert(id, (0, 0));
        while self.streams.len() > 8 {
            self.streams.pop_first();
        }
    }

    /// Feeds bytes and compares what is heard with the frames in them. Returns whether the session
    /// is fit for more.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        let mut frames = VecDeque::new();
        let framed = self.framing.feed(bytes, &mut frames);
        let outcome = self.session.feed(bytes);
        if framed.is_err() {
            assert_eq!(outcome, framed);
            frames.clear();
        }
        // What follows a goodbye is an error.
        let last = frames.iter().position(|frame| frame.kind == Kind::Goodbye);
        let read = last.map(|last| frames[last].call);
        frames.truncate(last.unwrap_or(frames.len()));
        let mut heard = Vec::new();
        for id in &self.asked {
            let of_call = || frames.iter().filter(|frame| frame.call == *id);
            let mut told = of_call().filter(|frame| frame.kind != Kind::Progress);
            let mut over = false;
            while let Some(event) = self.session.poll(*id) {
                assert!(!over, "something follows the last event");
                if let Event::Progress(progress) = event {
                    let told = of_call().filter(|frame| frame.kind == Kind::Progress);
                    // Behind an error nothing is heard.
                    let told = told.rev().find(|told| outcome.is_ok() || is_of(&progress, told));
                    assert!(is_of(&progress, told.expect("progress was invented")));
                    continue;
                }
                if let Event::Callback { number, .. } = event {
                    heard.push((*id, number));
                }
                over = match (told.next(), read) {
                    (Some(answer), _) => check_event(event, answer),
                    (None, Some(read)) if read < *id => check_refusal(&event),
                    (None, _) => panic!("an event was invented: {event:?}"),
                };
            }
            assert!(outcome.is_err() || told.next().is_none(), "an answer was lost");
        }
        self.check_written(&frames, &heard);
        outcome.is_ok() && self.framing.at_boundary() && !self.session.is_over()
    }

    /// What a client says without being told to: how much of a stream it has taken, and that nobody runs a
    /// callback.
    fn check_written(&mut self, frames: &VecDeque<Frame>, heard: &[(u64, u32)]) {
        for frame in frames.iter().filter(|frame| frame.kind == Kind::Response) {
            if let Some((arrived, _)) = self.streams.get_mut(&frame.call) {
                *arrived += weight(&frame.payload);
            }
        }
        let (mut framing, mut written) = (Framing::new(MESSAGE_BYTES_MAX), VecDeque::new());
        let bytes = drain(&mut self.session.outbox);
        framing.feed(&bytes, &mut written).expect("a client writes frames");
        assert!(framing.at_boundary());
        for Frame { kind, flags, seq, call, payload, .. } in written {
            match kind {
                Kind::Credit => {
                    let taken = payload.data.try_into().map(u64::from_le_bytes);
                    let taken = taken.expect("it is a number");
                    // Of a stream that was forgotten long ago nothing is known.
                    if let Some((arrived, told)) = self.streams.get_mut(&call) {
                        assert!(*told < taken && taken <= *arrived, "it credits what is not there");
                        *told = taken;
                    }
                }
                Kind::CallbackReply => {
                    assert!(flags == 1 && Failure::decode(&payload.data).is_some());
                    let is_callback = |frame: &Frame| {
                        (frame.kind, frame.call, frame.seq) == (Kind::Callback, call, seq)
                    };
                    assert!(frames.iter().any(is_callback), "nobody has called");
                    let is_known = self.asked.contains(&call);
                    assert!(!is_known || !heard.contains(&(call, seq)), "it was refused and heard");
                }
                kind => panic!("a client speaks only when it is told to: {kind:?}"),
            }
        }
        // What is heard, but not returned from, is refused at the latest when the call is forgotten.
        for (call, number) in heard {
            self.session
                .return_from_callback(*call, *number, Ok(Payload::default()))
                .expect("short");
        }
        drain(&mut self.session.outbox);
    }
}

fn is_of(heard: &Progress, frame: &Frame) -> bool {
    // Bytes are compared, because a NaN does not equal itself.
    Progress::decode(&frame.payload.data).is_some_and(|told| told.encode() == heard.encode())
}

/// Compares an event with its frame and returns whether it is the last one.
fn check_event(event: Event, frame: &Frame) -> bool {
    let data = &frame.payload.data;
    let (kind, last) = match event {
        Event::NoMemory { .. } => unreachable!("there is memory for every input"),
        Event::Progress(_) => unreachable!("it has a check of its own"),
        Event::Accepted => (Kind::Ack, false),
        Event::Response { message, error, last } => {
            check_message(&message, &frame.payload);
            assert_eq!((u8::from(error) << 1) | u8::from(last), frame.flags);
            (Kind::Response, last)
        }
        Event::Callback { number, message } => {
            check_message(&message, &frame.payload);
            assert_eq!(number, frame.seq);
            (Kind::Callback, false)
        }
        Event::Ended { already } => {
            assert_eq!(u8::from(already), frame.flags);
            (Kind::End, true)
        }
        Event::Failed { failure, exceptions } => {
            check_failure(&failure, &exceptions, data);
            (Kind::Error, true)
        }
        Event::Pong => (Kind::Pong, true),
        Event::Status(status) => {
            let told = Status::decode(data).expect("it was decoded before");
            assert_eq!(told.encode(), status.encode());
            (Kind::StatusReply, true)
        }
        Event::Log(reply) => {
            assert_eq!(LogReply::decode(data), Some(*reply));
            (Kind::LogReply, true)
        }
        Event::Debug(reply) => {
            assert_eq!(DebugReply::decode(data), Some(*reply));
            (Kind::DebugReply, true)
        }
        Event::Methods(reply) => {
            assert_eq!(MethodsReply::decode(data), Some(*reply));
            (Kind::MethodsReply, true)
        }
        Event::Jobs(reply) => {
            let told = JobsReply::decode(data).expect("it was decoded before");
            assert_eq!(told.encode_within(u64::MAX), reply.encode_within(u64::MAX));
            (Kind::JobsReply, true)
        }
        Event::Abort(reply) => {
            assert_eq!(AbortReply::decode(data), Some(*reply));
            (Kind::AbortReply, true)
        }
    };
    assert_eq!(kind, frame.kind);
    last
}

/// Checks the last event of a request that the server did not read before its goodbye.
fn check_refusal(event: &Event) -> bool {
    let Event::Failed { failure, exceptions } = event else { panic!("not refused: {event:?}") };
    assert_eq!(**failure, Failure::stopping());
    assert!(exceptions.raised.is_none());
    true
}

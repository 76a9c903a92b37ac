//! Sessions after a handshake whose records are in the clear.
//!
//! A handshake costs a hundred times what a short input does. Hence [`Server`] and [`Client`] may
//! take one input after another, for as long as they say that they are fit for it.

use std::collections::{HashSet, VecDeque};

use bgpy_proto::client::Event;
use bgpy_proto::framing::Framing;
use bgpy_proto::handshake::{ClientHandshake, ServerHandshake, Step, Suite};
use bgpy_proto::limits::{
    CALLS_PER_CONNECTION_MAX, DEBUG_REQUEST_BYTES_MAX, LOG_REQUEST_BYTES_MAX, MESSAGE_BYTES_MAX,
};
use bgpy_proto::{
    CallKind, ClientHello, ClientSession, DebugReply, DebugRequest, Delivered, Failure, Frame,
    Kind, LogReply, LogRequest, Outbox, Payload, Psk, Replays, Request, ServerHello, ServerSession,
    Status, Want,
};

use super::frame::encode;

/// Feeds the input, but its first byte, to a new session: a server's when that byte is even, else a
/// client's that waits for six answers.
pub fn session(input: &[u8]) -> bool {
    // So long an input could open more calls than a connection may, which the model leaves out.
    if input.len() > CALLS_PER_CONNECTION_MAX * 24 {
        return false;
    }
    match input {
        [side, stream @ ..] if side % 2 == 0 => Server::connect().feed(stream),
        [_, stream @ ..] => {
            let mut client = Client::connect();
            client.ask();
            client.feed(stream)
        }
        [] => false,
    }
}

/// A server's session, and the same stream read a second time.
pub struct Server {
    session: ServerSession,
    framing: Framing,
    /// The highest id of a request.
    pub last_call: u64,
}

/// A client's session, likewise.
pub struct Client {
    session: ClientSession,
    framing: Framing,
    /// The ids that wait for an answer.
    pub asked: Vec<u64>,
}

impl Server {
    /// Shakes hands.
    pub fn connect() -> Self {
        Self { session: connect().1, framing: Framing::new(MESSAGE_BYTES_MAX), last_call: 0 }
    }

    /// Feeds bytes, compares what is asked with the frames in them, and answers. Returns whether
    /// the session is fit for more.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        let mut frames = VecDeque::new();
        let framed = self.framing.feed(bytes, &mut frames);
        let outcome = self.session.feed(bytes);
        if framed.is_err() {
            assert_eq!(outcome, framed);
            assert!(self.session.poll().is_none(), "a broken stream brought a request");
            return false;
        }
        let (requests, pongs, valid) = self.expected(&frames);
        assert_eq!(outcome.is_ok(), valid);
        assert!(drain(&mut self.session.outbox) == pongs);
        for frame in requests {
            let request = self.session.poll().expect("a request is missing");
            self.check(&request, frame);
            self.answer(&request);
        }
        assert!(self.session.poll().is_none(), "a request was invented");
        outcome.is_ok() && self.framing.at_boundary()
    }

    /// What the frames ask for up to the first that breaks a rule, the pongs that they get, and
    /// whether none breaks one.
    fn expected<'a>(&mut self, frames: &'a VecDeque<Frame>) -> (Vec<&'a Frame>, Vec<u8>, bool) {
        let (mut requests, mut pongs) = (Vec::new(), Vec::new());
        // Calls of earlier inputs are answered and over.
        let mut open = HashSet::new();
        for frame in frames {
            if frame.kind != Kind::Cancel {
                if frame.call <= self.last_call {
                    return (requests, pongs, false);
                }
                self.last_call = frame.call;
            }
            match frame.kind {
                Kind::Ping => pongs.extend(encode(&Frame::bare(Kind::Pong, frame.call))),
                Kind::Status => requests.push(frame),
                Kind::Log if is_log_request(&frame.payload.data) => requests.push(frame),
                Kind::Debug if is_debug_request(&frame.payload.data) => requests.push(frame),
                Kind::Cancel if open.remove(&frame.call) => requests.push(frame),
                Kind::Cancel => {}
                Kind::Init | Kind::Exec | Kind::Exit if frame.flags < 3 => {
                    open.insert(frame.call);
                    requests.push(frame);
                }
                _ => return (requests, pongs, false),
            }
        }
        (requests, pongs, true)
    }

    fn check(&self, request: &Request, frame: &Frame) {
        let (kind, id) = match request {
            Request::Cancel { id } => (Kind::Cancel, *id),
            Request::Status { id } => (Kind::Status, *id),
            Request::Log { id, request } => {
                assert_eq!(LogRequest::decode(&frame.payload.data).as_ref(), Some(request));
                (Kind::Log, *id)
            }
            Request::Debug { id, request } => {
                assert_eq!(DebugRequest::decode(&frame.payload.data).as_ref(), Some(request));
                (Kind::Debug, *id)
            }
            Request::Call { id, kind, want, message } => {
                assert_eq!(*want as u8, frame.flags);
                check_message(message, &frame.payload);
                let kind = match kind {
                    CallKind::Init => Kind::Init,
                    CallKind::Exec => Kind::Exec,
                    CallKind::Exit => Kind::Exit,
                };
                (kind, *id)
            }
        };
        assert_eq!((kind, id), (frame.kind, frame.call));
    }

    /// Answers a call with what it brought, and checks that the answer is made of frames. It may
    /// have been cancelled by a frame that came with it: then it gets none.
    fn answer(&mut self, request: &Request) {
        let Request::Call { id, message, .. } = request else { return };
        let listens = self.session.wants_response(*id);
        let payload =
            Payload { data: message.data().to_vec(), buffers: message.buffers().to_vec() };
        self.session.ack(*id);
        assert_eq!(self.session.respond(*id, payload.clone(), false), Ok(listens));
        self.session.end(*id, false);
        let mut frames = VecDeque::new();
        let mut framing = Framing::new(MESSAGE_BYTES_MAX);
        let written = drain(&mut self.session.outbox);
        framing.feed(&written, &mut frames).expect("a server writes frames");
        assert!(framing.at_boundary());
        assert!(frames.iter().all(|frame| frame.call == *id));
        let responses: Vec<_> =
            frames.iter().filter(|frame| frame.kind == Kind::Response).collect();
        assert_eq!(responses.len(), usize::from(listens));
        assert!(responses.iter().all(|response| response.payload == payload));
    }
}

impl Client {
    /// Shakes hands.
    pub fn connect() -> Self {
        let session = connect().0;
        Self { session, framing: Framing::new(MESSAGE_BYTES_MAX), asked: Vec::new() }
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
        drain(&mut self.session.outbox);
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
        for id in &self.asked {
            let mut told = frames.iter().filter(|frame| frame.call == *id);
            let mut over = false;
            while let Some(event) = self.session.poll(*id) {
                assert!(!over, "something follows the last event");
                over = match (told.next(), read) {
                    (Some(answer), _) => check_event(event, answer),
                    (None, Some(read)) if read < *id => check_refusal(&event),
                    (None, _) => panic!("an event was invented: {event:?}"),
                };
            }
            assert!(outcome.is_err() || told.next().is_none(), "an answer was lost");
        }
        assert!(self.session.outbox.is_empty(), "a client speaks only when it is told to");
        outcome.is_ok() && self.framing.at_boundary() && !self.session.is_over()
    }
}

/// Compares an event with its frame and returns whether it is the last one.
fn check_event(event: Event, frame: &Frame) -> bool {
    let (kind, last) = match event {
        Event::NoMemory { .. } => unreachable!("there is memory for every input"),
        Event::Accepted => (Kind::Ack, false),
        Event::Response { message, error, last } => {
            check_message(&message, &frame.payload);
            assert_eq!((u8::from(error) << 1) | u8::from(last), frame.flags);
            (Kind::Response, last)
        }
        Event::Ended { already } => {
            assert_eq!(u8::from(already), frame.flags);
            (Kind::End, true)
        }
        Event::Failed { mut failure, object } => {
            failure.object = object.map(|object| object.data().to_vec());
            assert_eq!(Failure::decode(&frame.payload.data), Some(*failure));
            (Kind::Error, true)
        }
        Event::Pong => (Kind::Pong, true),
        Event::Status(status) => {
            let told = Status::decode(&frame.payload.data).expect("it was decoded before");
            assert_eq!(told.encode(), status.encode());
            (Kind::StatusReply, true)
        }
        Event::Log(reply) => {
            assert_eq!(LogReply::decode(&frame.payload.data), Some(*reply));
            (Kind::LogReply, true)
        }
        Event::Debug(reply) => {
            assert_eq!(DebugReply::decode(&frame.payload.data), Some(*reply));
            (Kind::DebugReply, true)
        }
    };
    assert_eq!(kind, frame.kind);
    last
}

/// Checks the last event of a request that the server did not read before its goodbye.
fn check_refusal(event: &Event) -> bool {
    let Event::Failed { failure, object: None } = event else { panic!("not refused: {event:?}") };
    assert_eq!(**failure, Failure::stopping());
    true
}

fn is_log_request(data: &[u8]) -> bool {
    data.len() <= LOG_REQUEST_BYTES_MAX && LogRequest::decode(data).is_some()
}

fn is_debug_request(data: &[u8]) -> bool {
    data.len() <= DEBUG_REQUEST_BYTES_MAX && DebugRequest::decode(data).is_some()
}

fn check_message(message: &Delivered, payload: &Payload) {
    assert!(message.data() == payload.data && message.buffers() == payload.buffers);
}

fn connect() -> (ClientSession, ServerSession) {
    let psk = Psk::open();
    let (mut up, mut down) = (Outbox::default(), Outbox::default());
    let hello = ClientHello::default();
    let client = ClientHandshake::start(Suite::Clear, &psk, &hello, &mut up);
    let server = ServerHandshake::new(psk, ServerHello::default(), true);
    let Ok(Step::More(server)) = server.feed(&drain(&mut up), &mut down, &mut Replays::default())
    else {
        panic!("the client is genuine")
    };
    let Ok(Step::Done(client)) = client.feed(&drain(&mut down), &mut up) else {
        panic!("the server is genuine")
    };
    let Ok(Step::Done(server)) = server.feed(&drain(&mut up), &mut down, &mut Replays::default())
    else {
        panic!("the confirmation is genuine")
    };
    (client, server)
}

fn drain(out: &mut Outbox) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(out.len());
    while !out.is_empty() {
        let front = out.front();
        bytes.extend_from_slice(front);
        let count = front.len();
        out.advance(count);
    }
    bytes
}

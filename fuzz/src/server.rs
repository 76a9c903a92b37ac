//! A server's session that is fed with anything.

use std::collections::{BTreeSet, HashSet, VecDeque};

use bgpy_proto::framing::Framing;
use bgpy_proto::limits::{
    ABORT_REQUEST_BYTES_MAX, DEBUG_REQUEST_BYTES_MAX, JOBS_REQUEST_BYTES_MAX,
    LOG_REQUEST_BYTES_MAX, MESSAGE_BYTES_MAX,
};
use bgpy_proto::{
    AbortRequest, CallHead, CallKind, DebugRequest, Failure, Frame, JobsRequest, Kind, LogRequest,
    Payload, Request, Room, ServerSession,
};

use super::frame::encode;
use super::session::{check_failure, check_message, connect, drain, weight};

/// What a call says that it wants.
const WANT: u8 = 3;

/// A call has a head, a cancel wants an answer, a callback has failed.
const HEAD: u8 = 8;
const ANSWER: u8 = 1;
const FAILED: u8 = 1;

/// Window of the stream.
const WINDOW: u64 = 200;

/// A server's session, and the same bytes read a second time.
pub struct Server {
    session: ServerSession,
    framing: Framing,
    /// The highest id of a request.
    pub last_call: u64,
    /// A call that stays open from one input to the next.
    pub stream: Option<Stream>,
}

/// What is known of a stream and its callbacks.
pub struct Stream {
    /// The id of its call.
    pub id: u64,
    /// What its responses count.
    pub sent: u64,
    /// How much of that was credited.
    pub taken: u64,
    /// Callbacks that wait.
    pub callbacks: BTreeSet<u32>,
    /// Whether the client has given up the responses.
    is_closed: bool,
}

impl Server {
    /// Shakes hands.
    pub fn connect() -> Self {
        let session = connect().1;
        Self { session, framing: Framing::new(MESSAGE_BYTES_MAX), last_call: 0, stream: None }
    }

    /// Opens a stream, if there is an id for it.
    pub fn stream(&mut self) {
        let Some(id) = self.last_call.checked_add(1) else { return };
        let head = CallHead { window: Some(WINDOW), ..CallHead::default() };
        let payload = head.encode().expect("it is short").into();
        let flags = 2 | HEAD;
        let call = Frame { flags, payload, ..Frame::bare(Kind::Exec, id) };
        self.session.feed(&encode(&call)).expect("it is a call");
        assert!(matches!(self.session.poll(), Some(Request::Call { head: Some(_), .. })));
        self.last_call = id;
        let callbacks = BTreeSet::new();
        self.stream = Some(Stream { id, sent: 0, taken: 0, callbacks, is_closed: false });
    }

    /// Sends as much of the stream as it has room for, and calls back once more.
    fn go_on(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        let payload = Payload { data: vec![0xc0; 20], buffers: vec![vec![1; 2].into()] };
        while self.session.room(stream.id) == Room::Open {
            assert!(stream.sent - stream.taken < WINDOW);
            stream.sent += weight(&payload);
            assert_eq!(self.session.respond(stream.id, payload.clone(), false), Ok(true));
        }
        if stream.callbacks.len() < 4 {
            let number = self.session.callback(stream.id, payload).expect("it is short");
            assert_eq!(number.is_none(), stream.is_closed);
            stream.callbacks.extend(number);
        }
        drain(&mut self.session.outbox);
    }

    /// Feeds bytes, compares what is asked with the frames in them, and answers. Returns whether
    /// the session is fit for more.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        self.go_on();
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
        let ahead = self.stream.as_ref().filter(|stream| !stream.is_closed);
        assert_eq!(self.session.ahead(), ahead.map_or(0, |stream| stream.sent - stream.taken));
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
        // Calls of earlier inputs are answered and over, but for the stream.
        let mut open: HashSet<u64> = self.stream.iter().map(|stream| stream.id).collect();
        let mut streams = HashSet::new();
        for frame in frames {
            let data = &frame.payload.data;
            if !matches!(frame.kind, Kind::Cancel | Kind::Credit | Kind::CallbackReply) {
                if frame.call <= self.last_call {
                    return (requests, pongs, false);
                }
                self.last_call = frame.call;
            }
            match frame.kind {
                Kind::Ping => pongs.extend(encode(&Frame::bare(Kind::Pong, frame.call))),
                Kind::Status | Kind::Methods => requests.push(frame),
                Kind::Log if is_log_request(data) => requests.push(frame),
                Kind::Debug if is_debug_request(data) => requests.push(frame),
                Kind::Abort if is_abort_request(data) => requests.push(frame),
                Kind::Jobs if is_jobs_request(data) => requests.push(frame),
                Kind::Cancel => {
                    let is_open = open.contains(&frame.call);
                    if is_open && frame.flags & ANSWER == 0 {
                        open.remove(&frame.call);
                    }
                    if is_open {
                        requests.push(frame);
                        streams.remove(&frame.call);
                        self.give_up(frame.call, frame.flags & ANSWER != 0);
                    }
                }
                Kind::Credit => match self.credit(frame, &streams) {
                    Ok(true) => requests.push(frame),
                    Ok(false) => {}
                    Err(()) => return (requests, pongs, false),
                },
                Kind::CallbackReply
                    if frame.flags & FAILED == 0 || Failure::decode(data).is_some() =>
                {
                    let stream = self.stream.as_mut().filter(|it| it.id == frame.call);
                    if stream.is_some_and(|stream| stream.callbacks.remove(&frame.seq)) {
                        requests.push(frame);
                    }
                }
                Kind::Init | Kind::Exec | Kind::Exit if frame.flags & WANT < 3 => {
                    if let Some((head, _)) = split(frame) {
                        let Some(head) = head else { return (requests, pongs, false) };
                        let is_exec = frame.kind == Kind::Exec && frame.flags & WANT < 2;
                        if head.job.is_some() && !is_exec {
                            return (requests, pongs, false);
                        }
                        if head.window.is_some() && frame.flags & WANT == 2 {
                            streams.insert(frame.call);
                        }
                    }
                    open.insert(frame.call);
                    requests.push(frame);
                }
                _ => return (requests, pongs, false),
            }
        }
        (requests, pongs, true)
    }

    /// The client cancels; that closes a stream.
    fn give_up(&mut self, call: u64, interrupt: bool) {
        if let Some(stream) = self.stream.as_mut().filter(|stream| stream.id == call) {
            stream.is_closed = true;
            if !interrupt {
                self.stream = None;
            }
        }
    }

    /// Whether a credit is news, if it is right. Nothing was sent of the streams that the input has opened.
    fn credit(&mut self, frame: &Frame, streams: &HashSet<u64>) -> Result<bool, ()> {
        let data = frame.payload.data.as_slice().try_into().map_err(drop)?;
        let taken = u64::from_le_bytes(data);
        let stream = self.stream.as_mut().filter(|it| it.id == frame.call && !it.is_closed);
        match stream {
            Some(stream) if taken < stream.taken || taken > stream.sent => Err(()),
            Some(stream) => Ok(std::mem::replace(&mut stream.taken, taken) < taken),
            None if streams.contains(&frame.call) && taken > 0 => Err(()),
            None => Ok(false),
        }
    }

    fn check(&self, request: &Request, frame: &Frame) {
        let data = &frame.payload.data;
        let (kind, id) = match request {
            Request::Cancel { id, interrupt } => {
                assert_eq!(u8::from(*interrupt), frame.flags);
                (Kind::Cancel, *id)
            }
            Request::Credit { id } => (Kind::Credit, *id),
            Request::CallbackReply { id, number, outcome } => {
                assert_eq!((*number, u8::from(outcome.is_err())), (frame.seq, frame.flags));
                match outcome {
                    Ok(message) => check_message(message, &frame.payload),
                    Err(failed) => check_failure(&failed.0, &failed.1, data),
                }
                (Kind::CallbackReply, *id)
            }
            Request::Status { id } => (Kind::Status, *id),
            Request::Methods { id } => (Kind::Methods, *id),
            Request::Log { id, request } => {
                assert_eq!(LogRequest::decode(data).as_ref(), Some(request));
                (Kind::Log, *id)
            }
            Request::Debug { id, request } => {
                assert_eq!(DebugRequest::decode(data).as_ref(), Some(request));
                (Kind::Debug, *id)
            }
            Request::Jobs { id, request } => {
                assert_eq!(JobsRequest::decode(data).as_ref(), Some(request));
                (Kind::Jobs, *id)
            }
            Request::Abort { id, request } => {
                assert_eq!(AbortRequest::decode(data).as_ref(), Some(request));
                (Kind::Abort, *id)
            }
            Request::Call { id, kind, want, head, message } => {
                assert_eq!(*want as u8, frame.flags & WANT);
                let (due, data) = split(frame).unwrap_or((None, data.clone()));
                assert_eq!(head.as_deref(), due.as_ref());
                check_message(message, &Payload { data, buffers: frame.payload.buffers.clone() });
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

/// The head of a call, if it can be read, and its message; `None` if it has no head.
fn split(frame: &Frame) -> Option<(Option<CallHead>, Vec<u8>)> {
    (frame.flags & HEAD != 0).then(|| {
        let mut data = frame.payload.data.clone();
        (CallHead::split_from(&mut data).ok(), data)
    })
}

fn is_log_request(data: &[u8]) -> bool {
    data.len() <= LOG_REQUEST_BYTES_MAX && LogRequest::decode(data).is_some()
}

fn is_debug_request(data: &[u8]) -> bool {
    data.len() <= DEBUG_REQUEST_BYTES_MAX && DebugRequest::decode(data).is_some()
}

fn is_jobs_request(data: &[u8]) -> bool {
    data.len() <= JOBS_REQUEST_BYTES_MAX && JobsRequest::decode(data).is_some()
}

fn is_abort_request(data: &[u8]) -> bool {
    data.len() <= ABORT_REQUEST_BYTES_MAX && AbortRequest::decode(data).is_some()
}

//! A client's session: numbers the calls and assigns the answers to them.

use std::collections::VecDeque;

use crate::debug::{DebugReply, DebugRequest};
use crate::delivered::Delivered;
use crate::error::ProtocolError;
use crate::failure::Failure;
use crate::frame::{Frame, Kind, Payload, Want, flag};
use crate::hello::ServerHello;
use crate::log::{LogReply, LogRequest};
use crate::open::OpenCalls;
use crate::outbox::Outbox;
use crate::receiver::Receiver;
use crate::server::CallKind;
use crate::status::Status;
use crate::supply::Supply;

/// A client's side of an authenticated connection.
#[derive(Debug)]
pub struct ClientSession {
    receiver: Receiver,
    server: ServerHello,
    /// Bytes to write to the server.
    pub outbox: Outbox,
    last_call: u64,
    pending: OpenCalls<Pending>,
    /// Whether the server has said goodbye: it reads no more.
    is_over: bool,
}

#[derive(Debug)]
struct Pending {
    asked: Asked,
    next_seq: u32,
    /// Events not polled yet. Most calls have one event at a time, which needs no allocation.
    first: Option<Event>,
    rest: VecDeque<Event>,
    /// Whether an answer has arrived, so that an ack would be too late.
    answered: bool,
    /// Whether the last event has arrived.
    ended: bool,
}

/// The kinds of answers that fit a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Call(Want),
    Ping,
    Status,
    Log,
    Debug,
}

/// An event of a call. Rare contents are boxed, because an event is moved several times.
#[derive(Debug)]
pub enum Event {
    /// The server has accepted it.
    Accepted,
    /// A task responded.
    Response {
        /// The response.
        message: Delivered,
        /// Whether the task marked it as an error.
        error: bool,
        /// Whether it is the last event of this call.
        last: bool,
    },
    /// The server answered, but this side lacks the memory for the answer.
    NoMemory {
        /// Length of the answer, in bytes.
        bytes: u64,
        /// Whether it is the last event of this call.
        last: bool,
    },
    /// The call ended; this is its last event.
    Ended {
        /// The answer to an INIT: the server was already initialized.
        already: bool,
    },
    /// The call failed; this is its last event.
    Failed {
        /// The failure.
        failure: Box<Failure>,
        /// The exception itself, if the server could send it.
        object: Option<Box<Delivered>>,
    },
    /// The answer to a ping.
    Pong,
    /// The answer to a status request.
    Status(Box<Status>),
    /// The answer to a log request.
    Log(Box<LogReply>),
    /// The answer to a debug request.
    Debug(Box<DebugReply>),
}

impl Pending {
    fn new(asked: Asked) -> Self {
        let rest = VecDeque::new();
        Self { asked, next_seq: 0, first: None, rest, answered: false, ended: false }
    }

    fn push(&mut self, event: Event) {
        if self.first.is_none() && self.rest.is_empty() {
            self.first = Some(event);
        } else {
            self.rest.push_back(event);
        }
    }

    /// Notes that the server has ended without reading the request. Who asks a question is told by
    /// the end of the connection.
    fn refuse(&mut self) {
        if self.ended || !matches!(self.asked, Asked::Call(_)) {
            return;
        }
        self.ended = true;
        self.push(Event::Failed { failure: Box::new(Failure::stopping()), object: None });
    }

    fn pop(&mut self) -> Option<Event> {
        self.first.take().or_else(|| self.rest.pop_front())
    }
}

impl ClientSession {
    pub(crate) fn new(outbox: Outbox, receiver: Receiver, server: ServerHello) -> Self {
        Self {
            receiver,
            server,
            outbox,
            last_call: 0,
            pending: OpenCalls::default(),
            is_over: false,
        }
    }

    /// Sets the supply of memory for large messages.
    pub fn supply_with(&mut self, supply: Box<dyn Supply>) {
        self.receiver.supply_with(supply);
    }

    /// The server's announcements about itself.
    pub fn server(&self) -> &ServerHello {
        &self.server
    }

    /// Whether the server has said goodbye: it reads no more, and new calls fail at once.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Starts a call and returns its id. Its events are kept under that id until it ends or is
    /// [forgotten](Self::forget).
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] if the payload has too many buffers, and
    /// [`ProtocolError::Unwelcome`] if it is longer than the server accepts; nothing is sent then.
    pub fn call(
        &mut self,
        kind: CallKind,
        want: Want,
        payload: Payload,
    ) -> Result<u64, ProtocolError> {
        payload.check(self.server.message_bytes_max)?;
        self.request(kind.frame_kind(), want as u8, payload, Asked::Call(want))
    }

    /// Sends a ping.
    pub fn ping(&mut self) -> u64 {
        self.bare_request(Kind::Ping, Asked::Ping)
    }

    /// Asks for the status.
    pub fn status(&mut self) -> u64 {
        self.bare_request(Kind::Status, Asked::Status)
    }

    /// Asks for a piece of the log.
    pub fn log(&mut self, request: &LogRequest) -> u64 {
        self.unbuffered_request(Kind::Log, request.encode(), Asked::Log)
    }

    /// Asks a debug question. Only for a server whose [hello](ServerHello::debug) says that it
    /// understands it.
    pub fn debug(&mut self, request: &DebugRequest) -> u64 {
        self.unbuffered_request(Kind::Debug, request.encode(), Asked::Debug)
    }

    /// Tells the server to drop a call that is not running yet, and forgets it here.
    pub fn cancel(&mut self, call: u64) {
        if self.pending.remove(call).is_some() {
            self.send(Frame::bare(Kind::Cancel, call)).expect("a cancel has no buffers");
        }
    }

    /// Forgets a call whose further answers do not matter.
    pub fn forget(&mut self, call: u64) {
        self.pending.remove(call);
    }

    /// The next event of a call, if there is one. The last event also ends the call here: nothing
    /// is left to forget.
    pub fn poll(&mut self, call: u64) -> Option<Event> {
        let pending = self.pending.get_mut(call)?;
        let event = pending.pop();
        if pending.ended && pending.rest.is_empty() {
            self.pending.remove(call);
        }
        event
    }

    /// Where the next bytes of a large message belong, and how many. After reading them directly to
    /// the end of the vector, call [`feed`](Self::feed) without bytes.
    pub fn place(&mut self) -> Option<(&mut Vec<u8>, usize)> {
        self.receiver.place()
    }

    /// Processes bytes from the server.
    ///
    /// # Errors
    /// [`ProtocolError`]; the connection is unusable then.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        self.receiver.feed(bytes)?;
        while let Some(frame) = self.receiver.next() {
            self.sort(frame)?;
        }
        Ok(())
    }

    fn bare_request(&mut self, kind: Kind, asked: Asked) -> u64 {
        self.unbuffered_request(kind, Vec::new(), asked)
    }

    fn unbuffered_request(&mut self, kind: Kind, data: Vec<u8>, asked: Asked) -> u64 {
        self.request(kind, 0, data.into(), asked).expect("the request has no buffers")
    }

    fn request(
        &mut self,
        kind: Kind,
        flags: u8,
        payload: Payload,
        asked: Asked,
    ) -> Result<u64, ProtocolError> {
        let call = self.last_call + 1;
        let mut pending = Pending::new(asked);
        if self.is_over {
            pending.refuse();
        } else {
            self.send(Frame { flags, payload, ..Frame::bare(kind, call) })?;
        }
        self.last_call = call;
        self.pending.insert(call, pending);
        Ok(call)
    }

    fn send(&mut self, frame: Frame) -> Result<(), ProtocolError> {
        self.outbox.send(frame)
    }

    fn sort(&mut self, frame: Frame) -> Result<(), ProtocolError> {
        let Frame { kind, flags, seq, call, payload, missing } = frame;
        if self.is_over {
            return Err(ProtocolError::Malformed("a frame behind a goodbye"));
        }
        if kind == Kind::ServerOffer {
            return self.receiver.offered(seq);
        }
        if let Some(segment) = self.receiver.missed(&payload) {
            self.outbox.offer(Kind::ClientOffer, segment);
        }
        if kind == Kind::Goodbye && call <= self.last_call {
            self.is_over = true;
            self.pending.after(call).for_each(Pending::refuse);
            return Ok(());
        }
        if call == 0 || call > self.last_call {
            return Err(ProtocolError::Malformed("an answer to a call that was not made"));
        }
        let Some(pending) = self.pending.get_mut(call) else { return Ok(()) };
        if pending.ended {
            return Err(ProtocolError::Malformed("an answer after the last one"));
        }
        let event = match (kind, pending.asked) {
            (Kind::Ack, Asked::Call(_)) if !pending.answered => Event::Accepted,
            (Kind::Response, Asked::Call(Want::First | Want::All)) => {
                if seq != pending.next_seq {
                    return Err(ProtocolError::Malformed("a response out of its order"));
                }
                pending.next_seq = seq.wrapping_add(1);
                let (error, last) = (flags & flag::USER_ERROR != 0, flags & flag::LAST != 0);
                if missing > 0 {
                    Event::NoMemory { bytes: missing, last }
                } else {
                    Event::Response { message: Delivered::new(payload), error, last }
                }
            }
            (Kind::End, Asked::Call(_)) => Event::Ended { already: flags & flag::ALREADY != 0 },
            (Kind::Error, Asked::Call(_)) if missing > 0 => {
                Event::NoMemory { bytes: missing, last: true }
            }
            (Kind::Error, Asked::Call(_)) => {
                let mut failure = Failure::decode(&payload.data)
                    .ok_or(ProtocolError::Malformed("a failure that says nothing"))?;
                let object = failure.object.take();
                let object = object.map(|object| Box::new(Delivered::new(object.into())));
                Event::Failed { failure: Box::new(failure), object }
            }
            (Kind::Pong, Asked::Ping) => Event::Pong,
            (Kind::StatusReply, Asked::Status) => Event::Status(Box::new(
                Status::decode(&payload.data)
                    .ok_or(ProtocolError::Malformed("a status that says nothing"))?,
            )),
            (Kind::LogReply, Asked::Log) => Event::Log(Box::new(
                LogReply::decode(&payload.data)
                    .ok_or(ProtocolError::Malformed("a piece of a log that says nothing"))?,
            )),
            (Kind::DebugReply, Asked::Debug) => Event::Debug(Box::new(
                DebugReply::decode(&payload.data)
                    .ok_or(ProtocolError::Malformed("a debug reply that says nothing"))?,
            )),
            _ if missing > 0 => return Err(ProtocolError::Memory { bytes: missing }),
            _ => return Err(ProtocolError::Malformed("an answer that does not fit its call")),
        };
        pending.answered = true;
        pending.ended = match event {
            Event::Accepted => pending.asked == Asked::Call(Want::Ack),
            Event::Response { last, .. } | Event::NoMemory { last, .. } => last,
            _ => true,
        };
        pending.push(event);
        Ok(())
    }
}

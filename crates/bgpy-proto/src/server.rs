//! A server's session: checks the requests and keeps what each caller wants to hear.

use std::collections::VecDeque;

use crate::debug::{DebugReply, DebugRequest};
use crate::delivered::Delivered;
use crate::error::ProtocolError;
use crate::failure::{Failure, FailureCode};
use crate::frame::{Frame, Kind, Payload, Want, flag};
use crate::hello::ClientHello;
use crate::limits::{CALLS_PER_CONNECTION_MAX, DEBUG_REQUEST_BYTES_MAX, LOG_REQUEST_BYTES_MAX};
use crate::log::{LogReply, LogRequest};
use crate::open::OpenCalls;
use crate::outbox::Outbox;
use crate::receiver::Receiver;
use crate::status::Status;
use crate::supply::Supply;

/// The three kinds of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// Send the tasks and run `init_task`.
    Init,
    /// Run `exec_task`.
    Exec,
    /// Run `exit_task` and end.
    Exit,
}

impl CallKind {
    pub(crate) fn frame_kind(self) -> Kind {
        match self {
            Self::Init => Kind::Init,
            Self::Exec => Kind::Exec,
            Self::Exit => Kind::Exit,
        }
    }
}

/// A client's request.
#[derive(Debug)]
pub enum Request {
    /// A call, which must be [acked](ServerSession::ack) or [failed](ServerSession::fail).
    Call {
        /// Its id.
        id: u64,
        /// Its kind.
        kind: CallKind,
        /// Which answers the caller wants.
        want: Want,
        /// Its message.
        message: Delivered,
    },
    /// Drop a call that is not running yet.
    Cancel {
        /// The call.
        id: u64,
    },
    /// Answer with the status.
    Status {
        /// The request's id.
        id: u64,
    },
    /// Answer with a piece of the log.
    Log {
        /// The request's id.
        id: u64,
        /// Which piece.
        request: LogRequest,
    },
    /// Answer a debug question.
    Debug {
        /// The request's id.
        id: u64,
        /// The question.
        request: DebugRequest,
    },
}

/// A server's side of an authenticated connection.
#[derive(Debug)]
pub struct ServerSession {
    receiver: Receiver,
    client: ClientHello,
    /// Bytes to write to the client.
    pub outbox: Outbox,
    requests: VecDeque<Request>,
    last_call: u64,
    open: OpenCalls<Open>,
}

/// A call whose caller still waits.
#[derive(Debug)]
struct Open {
    want: Want,
    acked: bool,
    next_seq: u32,
}

impl Open {
    fn wants_response(&self) -> bool {
        self.want != Want::Ack
    }
}

impl ServerSession {
    pub(crate) fn new(outbox: Outbox, receiver: Receiver, client: ClientHello) -> Self {
        Self {
            receiver,
            client,
            outbox,
            requests: VecDeque::new(),
            last_call: 0,
            open: OpenCalls::default(),
        }
    }

    /// Sets the supply of memory for large messages.
    pub fn supply_with(&mut self, supply: Box<dyn Supply>) {
        self.receiver.supply_with(supply);
    }

    /// The client's announcements about itself.
    pub fn client(&self) -> &ClientHello {
        &self.client
    }

    /// Where the next bytes of a large message belong, and how many. After reading them directly to
    /// the end of the vector, call [`feed`](Self::feed) without bytes.
    pub fn place(&mut self) -> Option<(&mut Vec<u8>, usize)> {
        self.receiver.place()
    }

    /// Processes bytes from the client; pings are answered at once.
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

    /// The client's next request.
    pub fn poll(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }

    /// Tells the caller that its call is accepted, unless it was told before.
    pub fn ack(&mut self, call: u64) {
        let Some(open) = self.open.get_mut(call) else { return };
        if open.acked {
            return;
        }
        open.acked = true;
        if open.want == Want::Ack {
            self.open.remove(call);
        }
        self.send(Frame::bare(Kind::Ack, call));
    }

    /// Whether the caller still waits for a response.
    pub fn wants_response(&self, call: u64) -> bool {
        self.open.get(call).is_some_and(Open::wants_response)
    }

    /// Sends a response of the task; `false` if the caller does not wait for one (any more). It
    /// implies the ack.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] if the payload has too many buffers, and
    /// [`ProtocolError::Unwelcome`] if it is longer than the client accepts; nothing is sent then.
    pub fn respond(
        &mut self,
        call: u64,
        payload: Payload,
        error: bool,
    ) -> Result<bool, ProtocolError> {
        let Some(open) = self.open.get_mut(call).filter(|open| open.wants_response()) else {
            return Ok(false);
        };
        payload.check(self.client.message_bytes_max)?;
        let last = open.want == Want::First;
        let flags = if last { flag::LAST } else { 0 } | if error { flag::USER_ERROR } else { 0 };
        let seq = open.next_seq;
        let frame = Frame { flags, seq, payload, ..Frame::bare(Kind::Response, call) };
        self.outbox.send(frame)?;
        open.next_seq = seq.wrapping_add(1);
        open.acked = true;
        if last {
            self.open.remove(call);
        }
        Ok(true)
    }

    /// Tells the caller that its call has ended. `already` marks an INIT that changed nothing.
    pub fn end(&mut self, call: u64, already: bool) {
        if self.open.remove(call).is_some() {
            let flags = if already { flag::ALREADY } else { 0 };
            self.send(Frame { flags, ..Frame::bare(Kind::End, call) });
        }
    }

    /// Tells the caller that its call has failed; `false` if it does not wait (any more).
    pub fn fail(&mut self, call: u64, failure: &Failure) -> bool {
        let listens = self.open.remove(call).is_some();
        if listens {
            let payload = failure.encode_within(self.client.message_bytes_max).into();
            self.send(Frame { payload, ..Frame::bare(Kind::Error, call) });
        }
        listens
    }

    /// Answers a status request.
    pub fn status(&mut self, request: u64, status: &Status) {
        let payload = status.encode().into();
        self.send(Frame { payload, ..Frame::bare(Kind::StatusReply, request) });
    }

    /// Answers a log request. Its text is at most [as long as the client
    /// accepts](LogReply::text_bytes_max).
    pub fn log(&mut self, request: u64, reply: &LogReply) {
        let payload = reply.encode().into();
        self.send(Frame { payload, ..Frame::bare(Kind::LogReply, request) });
    }

    /// Answers a debug request, as far as the client accepts it.
    pub fn debug(&mut self, request: u64, reply: &DebugReply) {
        let payload = reply.encode_within(self.client.message_bytes_max).into();
        self.send(Frame { payload, ..Frame::bare(Kind::DebugReply, request) });
    }

    /// Tells the client, as the last frame, that the server ends without having read more of its
    /// requests. Clients of bgpy 1.0 do not understand that, and are told nothing.
    pub fn say_goodbye(&mut self) {
        if self.client.goodbye {
            self.send(Frame::bare(Kind::Goodbye, self.last_call));
        }
    }

    fn send(&mut self, frame: Frame) {
        self.outbox.send(frame).expect("the frame has no buffers");
    }

    fn sort(&mut self, frame: Frame) -> Result<(), ProtocolError> {
        let Frame { kind, flags, seq, call, payload, missing } = frame;
        // Requests other than calls, and their answers, are short.
        if missing > 0 && !matches!(kind, Kind::Init | Kind::Exec | Kind::Exit) {
            return Err(ProtocolError::Memory { bytes: missing });
        }
        if kind == Kind::ClientOffer {
            return self.receiver.offered(seq);
        }
        if let Some(segment) = self.receiver.missed(&payload) {
            self.outbox.offer(Kind::ServerOffer, segment);
        }
        if kind == Kind::Cancel {
            if self.open.remove(call).is_some() {
                self.requests.push_back(Request::Cancel { id: call });
            }
            return Ok(());
        }
        if call <= self.last_call {
            return Err(ProtocolError::Malformed("a call id that does not grow"));
        }
        self.last_call = call;
        let kind = match kind {
            Kind::Init => CallKind::Init,
            Kind::Exec => CallKind::Exec,
            Kind::Exit => CallKind::Exit,
            Kind::Status => {
                self.requests.push_back(Request::Status { id: call });
                return Ok(());
            }
            Kind::Log => {
                let short = Some(&payload.data).filter(|data| data.len() <= LOG_REQUEST_BYTES_MAX);
                let request = short.and_then(|data| LogRequest::decode(data));
                let request =
                    request.ok_or(ProtocolError::Malformed("a log request that says nothing"))?;
                self.requests.push_back(Request::Log { id: call, request });
                return Ok(());
            }
            Kind::Debug => {
                let short =
                    Some(&payload.data).filter(|data| data.len() <= DEBUG_REQUEST_BYTES_MAX);
                let request = short.and_then(|data| DebugRequest::decode(data));
                let request =
                    request.ok_or(ProtocolError::Malformed("a debug request that says nothing"))?;
                self.requests.push_back(Request::Debug { id: call, request });
                return Ok(());
            }
            Kind::Ping => {
                self.send(Frame::bare(Kind::Pong, call));
                return Ok(());
            }
            _ => return Err(ProtocolError::Malformed("a frame that only servers send")),
        };
        let want = Want::from_flags(flags)?;
        let full = self.open.len() >= CALLS_PER_CONNECTION_MAX;
        self.open.insert(call, Open { want, acked: false, next_seq: 0 });
        if full {
            let text = format!("{CALLS_PER_CONNECTION_MAX} calls of this connection are open");
            self.fail(call, &Failure::new(FailureCode::Overloaded, text));
        } else if missing > 0 {
            self.fail(call, &Failure::memory(format!("an argument of {missing} bytes")));
        } else {
            let message = Delivered::new(payload);
            self.requests.push_back(Request::Call { id: call, kind, want, message });
        }
        Ok(())
    }
}

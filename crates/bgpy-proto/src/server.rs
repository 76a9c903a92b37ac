//! A server's session: checks the requests and keeps what each caller wants to hear.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::abort::{AbortReply, AbortRequest};
use crate::caller::{More, Open, Room};
use crate::debug::{DebugReply, DebugRequest};
use crate::delivered::Delivered;
use crate::error::ProtocolError;
use crate::failure::{Failure, FailureCode};
use crate::flow::weight;
use crate::frame::{Frame, Kind, Missing, Payload, Want, flag};
use crate::head::CallHead;
use crate::hello::ClientHello;
use crate::jobs::{JobsReply, JobsRequest};
use crate::limits::{
    ABORT_REQUEST_BYTES_MAX, CALLS_PER_CONNECTION_MAX, DEBUG_REQUEST_BYTES_MAX,
    JOBS_REQUEST_BYTES_MAX, LOG_REQUEST_BYTES_MAX,
};
use crate::log::{LogReply, LogRequest};
use crate::methods::MethodsReply;
use crate::open::OpenCalls;
use crate::outbox::Outbox;
use crate::progress::Progress;
use crate::receiver::Receiver;
use crate::request::{CallKind, Request};
use crate::status::Status;
use crate::supply::Supply;

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
    /// See [`ahead`](Self::ahead).
    ahead: u64,
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
            ahead: 0,
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
            self.close(call);
        }
        self.send(Frame::bare(Kind::Ack, call));
    }

    /// Whether the caller still waits for an answer.
    pub fn is_open(&self, call: u64) -> bool {
        self.open.get(call).is_some()
    }

    /// Whether the caller still waits for a response.
    pub fn wants_response(&self, call: u64) -> bool {
        self.open.get(call).is_some_and(Open::wants_response)
    }

    /// Whether the responses of a call are a stream of which several were sent.
    pub fn is_in_stream(&self, call: u64) -> bool {
        self.open.get(call).is_some_and(|open| open.is_stream() && open.next_seq > 1)
    }

    /// Whether the task may respond. [`respond`](Self::respond) does not ask this.
    pub fn room(&mut self, call: u64) -> Room {
        match self.open.get_mut(call) {
            Some(open) if open.wants_response() => match open.window() {
                Some(window) if !window.is_open() => Room::Full,
                _ => Room::Open,
            },
            _ => Room::Gone,
        }
    }

    /// Bytes of streams that their readers have not taken, over all open calls.
    pub fn ahead(&self) -> u64 {
        self.ahead
    }

    /// Tells the caller how far the call has come, if it wants to know; it implies the ack.
    pub fn progress(&mut self, call: u64, progress: &Progress) {
        let understood = self.client.calls;
        let Some(open) = self.open.get_mut(call).filter(|_| understood) else { return };
        if open.more.as_ref().is_some_and(|more| more.wants_progress) {
            open.acked = true;
            let payload = progress.encode().into();
            self.send(Frame { payload, ..Frame::bare(Kind::Progress, call) });
        }
    }

    /// Calls a function of the caller's, and returns the number under which [its
    /// result](Request::CallbackReply) arrives; `None` if the caller does not wait (any more). It implies
    /// the ack.
    ///
    /// # Errors
    /// See [`respond`](Self::respond).
    pub fn callback(&mut self, call: u64, payload: Payload) -> Result<Option<u32>, ProtocolError> {
        payload.check(self.client.message_bytes_max)?;
        let understood = self.client.calls;
        let Some(open) = self.open.get_mut(call).filter(|open| understood && open.wants_response())
        else {
            return Ok(None);
        };
        let more = open.more.get_or_insert_default();
        let number = more.callbacks.next();
        self.outbox.send(Frame { seq: number, payload, ..Frame::bare(Kind::Callback, call) })?;
        more.callbacks.open();
        open.acked = true;
        Ok(Some(number))
    }

    /// Answers a request to abort a call.
    pub fn aborted(&mut self, request: u64, reply: &AbortReply) {
        let payload = reply.encode().into();
        self.send(Frame { payload, ..Frame::bare(Kind::AbortReply, request) });
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
        self.send_response(call, payload, error, false)
    }

    /// Like [`respond`](Self::respond), with what the method of a stream has returned: the last frame of its call. A
    /// caller that waits for its first response only gets it as that.
    ///
    /// # Errors
    /// See [`respond`](Self::respond).
    pub fn respond_last(&mut self, call: u64, payload: Payload) -> Result<bool, ProtocolError> {
        self.send_response(call, payload, false, true)
    }

    fn send_response(
        &mut self,
        call: u64,
        payload: Payload,
        error: bool,
        is_result: bool,
    ) -> Result<bool, ProtocolError> {
        let Some(open) = self.open.get_mut(call).filter(|open| open.wants_response()) else {
            return Ok(false);
        };
        payload.check(self.client.message_bytes_max)?;
        let last = open.want == Want::First || is_result && open.calls_method();
        let flags = if last { flag::LAST } else { 0 } | if error { flag::USER_ERROR } else { 0 };
        let seq = open.next_seq;
        let weight = weight(payload.bytes(), payload.buffers.len());
        let frame = Frame { flags, seq, payload, ..Frame::bare(Kind::Response, call) };
        self.outbox.send(frame)?;
        open.next_seq = seq.wrapping_add(1);
        open.acked = true;
        if let Some(window) = open.window() {
            window.sent(weight);
            self.ahead += weight;
        }
        if last {
            self.close(call);
        }
        Ok(true)
    }

    /// Tells the caller that its call has ended. `already` marks an INIT that changed nothing.
    pub fn end(&mut self, call: u64, already: bool) {
        if self.close(call).is_some() {
            let flags = if already { flag::ALREADY } else { 0 };
            self.send(Frame { flags, ..Frame::bare(Kind::End, call) });
        }
    }

    /// Tells the caller that its call has failed; `false` if it does not wait (any more).
    pub fn fail(&mut self, call: u64, failure: &Failure) -> bool {
        let listens = self.close(call).is_some();
        if listens {
            let failure = if self.client.calls { failure } else { &failure.clone().of_1_0() };
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

    /// Answers a request for the methods, as far as the client accepts it.
    pub fn methods(&mut self, request: u64, reply: &MethodsReply) {
        let payload = reply.encode_within(self.client.message_bytes_max).into();
        self.send(Frame { payload, ..Frame::bare(Kind::MethodsReply, request) });
    }

    /// Answers a request for the jobs, as far as the client accepts it.
    pub fn jobs(&mut self, request: u64, reply: JobsReply) {
        let payload = reply.encode_within(self.client.message_bytes_max).into();
        self.send(Frame { payload, ..Frame::bare(Kind::JobsReply, request) });
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

    /// Takes a call off the open ones.
    fn close(&mut self, call: u64) -> Option<Open> {
        let mut open = self.open.remove(call)?;
        self.ahead -= open.window().map_or(0, |window| window.ahead());
        Some(open)
    }

    fn send(&mut self, frame: Frame) {
        self.outbox.send(frame).expect("the frame has no buffers");
    }

    fn sort(&mut self, frame: Frame) -> Result<(), ProtocolError> {
        let Frame { kind, flags, seq, call, mut payload, missing } = frame;
        // Other requests are short.
        let may_be_long =
            matches!(kind, Kind::Init | Kind::Exec | Kind::Exit | Kind::CallbackReply);
        if let Some(Missing { bytes, .. }) = missing.filter(|_| !may_be_long) {
            return Err(ProtocolError::Memory { bytes });
        }
        if kind == Kind::ClientOffer {
            return self.receiver.offered(seq);
        }
        if let Some(segment) = self.receiver.missed(&payload) {
            self.outbox.offer(Kind::ServerOffer, segment);
        }
        // These belong to an earlier call. Its last frame may have crossed them.
        match kind {
            Kind::Cancel => {
                self.cancel(call, flags & flag::ANSWER != 0);
                return Ok(());
            }
            Kind::Credit => return self.credit(call, &payload.data),
            Kind::CallbackReply => {
                return self.return_from_callback(call, seq, flags, payload, missing);
            }
            _ => {}
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
            Kind::Methods => {
                self.requests.push_back(Request::Methods { id: call });
                return Ok(());
            }
            Kind::Log => {
                let request = short(&payload.data, LOG_REQUEST_BYTES_MAX, LogRequest::decode)
                    .ok_or(ProtocolError::Malformed("a log request that says nothing"))?;
                self.requests.push_back(Request::Log { id: call, request });
                return Ok(());
            }
            Kind::Debug => {
                let request =
                    short(&payload.data, DEBUG_REQUEST_BYTES_MAX, DebugRequest::decode)
                        .ok_or(ProtocolError::Malformed("a debug request that says nothing"))?;
                self.requests.push_back(Request::Debug { id: call, request });
                return Ok(());
            }
            Kind::Abort => {
                let request = short(&payload.data, ABORT_REQUEST_BYTES_MAX, AbortRequest::decode)
                    .ok_or(ProtocolError::Malformed("an abort that says nothing"))?;
                self.requests.push_back(Request::Abort { id: call, request });
                return Ok(());
            }
            Kind::Jobs => {
                let short = Some(&payload.data).filter(|data| data.len() <= JOBS_REQUEST_BYTES_MAX);
                let request = short.and_then(|data| JobsRequest::decode(data));
                let request = request
                    .ok_or(ProtocolError::Malformed("a request for jobs that says nothing"))?;
                self.requests.push_back(Request::Jobs { id: call, request });
                return Ok(());
            }
            Kind::Ping => {
                self.send(Frame::bare(Kind::Pong, call));
                return Ok(());
            }
            _ => return Err(ProtocolError::Malformed("a frame that only servers send")),
        };
        let want = Want::from_flags(flags)?;
        let has_head = flags & flag::HEAD != 0 && missing.is_none();
        let head =
            if has_head { Some(Arc::new(CallHead::split_from(&mut payload.data)?)) } else { None };
        let is_of_job = head.as_ref().is_some_and(|head| head.job.is_some());
        if is_of_job && (kind != CallKind::Exec || want == Want::All) {
            return Err(ProtocolError::Malformed(
                "a call that no job is submitted or awaited with",
            ));
        }
        let more = head.as_deref().map(|head| More::of(head, want));
        let full = self.open.len() >= CALLS_PER_CONNECTION_MAX;
        self.open.insert(call, Open { want, acked: false, next_seq: 0, more });
        if full {
            let text = format!("{CALLS_PER_CONNECTION_MAX} calls of this connection are open");
            self.fail(call, &Failure::new(FailureCode::Overloaded, text));
        } else if let Some(Missing { bytes, .. }) = missing {
            let what = format!("an argument of {bytes} bytes");
            self.fail(call, &Failure::memory("the server", what));
        } else {
            let message = Delivered::new(payload);
            self.requests.push_back(Request::Call { id: call, kind, want, head, message });
        }
        Ok(())
    }

    fn cancel(&mut self, call: u64, interrupt: bool) {
        let is_open = match interrupt {
            // The caller still waits for the end.
            true => self.open.get_mut(call).is_some_and(|open| {
                self.ahead -= open.close_stream();
                true
            }),
            false => self.close(call).is_some(),
        };
        if is_open {
            self.requests.push_back(Request::Cancel { id: call, interrupt });
        }
    }

    fn credit(&mut self, call: u64, data: &[u8]) -> Result<(), ProtocolError> {
        let bytes = data.try_into().map(u64::from_le_bytes);
        let bytes = bytes.map_err(|_| ProtocolError::Malformed("a credit that says nothing"))?;
        if let Some(window) = self.open.get_mut(call).and_then(Open::window) {
            let more = window.taken(bytes)?;
            self.ahead -= more;
            if more > 0 {
                self.requests.push_back(Request::Credit { id: call });
            }
        }
        Ok(())
    }

    fn return_from_callback(
        &mut self,
        call: u64,
        number: u32,
        flags: u8,
        payload: Payload,
        missing: Option<Missing>,
    ) -> Result<(), ProtocolError> {
        let outcome = if let Some(Missing { bytes, .. }) = missing {
            let what = format!("the result of a callback, {bytes} bytes");
            Err(Box::new((Failure::memory("the server", what), Default::default())))
        } else if flags & flag::FAILED != 0 {
            Err(Box::new(Failure::received(&payload.data)?))
        } else {
            Ok(Delivered::new(payload))
        };
        let more = self.open.get_mut(call).and_then(|open| open.more.as_mut());
        if more.is_some_and(|more| more.callbacks.close(number)) {
            self.requests.push_back(Request::CallbackReply { id: call, number, outcome });
        }
        Ok(())
    }
}

/// What is decoded from data that is no longer than it may be.
fn short<T>(data: &[u8], bytes_max: usize, decode: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    Some(data).filter(|data| data.len() <= bytes_max).and_then(decode)
}

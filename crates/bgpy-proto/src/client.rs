//! A client's session: numbers the calls and assigns the answers to them.

use crate::abort::{AbortReply, AbortRequest};
use crate::cause::Exceptions;
use crate::debug::{DebugReply, DebugRequest};
use crate::delivered::Delivered;
use crate::error::ProtocolError;
use crate::failure::Failure;
use crate::frame::{Frame, Kind, Payload, Want, flag};
use crate::head::CallHead;
use crate::hello::ServerHello;
use crate::jobs::{JobsReply, JobsRequest};
use crate::log::{LogReply, LogRequest};
use crate::methods::MethodsReply;
use crate::open::OpenCalls;
use crate::outbox::Outbox;
use crate::pending::{Asked, Due, Pending};
use crate::progress::Progress;
use crate::receiver::Receiver;
use crate::request::CallKind;
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
    /// The calls for which something has arrived, if that is collected.
    news: Option<Vec<u64>>,
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
        /// The exception itself, and those that led to it, as far as the server could send them.
        exceptions: Box<Exceptions>,
    },
    /// The answer to a ping.
    Pong,
    /// The answer to a status request.
    Status(Box<Status>),
    /// The answer to a log request.
    Log(Box<LogReply>),
    /// The answer to a debug request.
    Debug(Box<DebugReply>),
    /// The answer to an abort.
    Abort(Box<AbortReply>),
    /// The answer to a request for the methods.
    Methods(Box<MethodsReply>),
    /// The answer to a request for the jobs.
    Jobs(Box<JobsReply>),
    /// How far the call has come.
    Progress(Box<Progress>),
    /// The task calls a function of the caller's, and waits for [its
    /// result](ClientSession::return_from_callback).
    Callback {
        /// Its number in the call.
        number: u32,
        /// Which function, and its arguments.
        message: Delivered,
    },
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
            news: None,
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
        let asked = Asked::Call(want);
        self.request(
            &[],
            Frame { payload, flags: want as u8, ..Frame::bare(kind.frame_kind(), 0) },
            asked,
        )
    }

    /// Like [`call`](Self::call), with a head. A server whose [hello](ServerHello::calls) does not say
    /// that it understands heads gets none.
    ///
    /// # Errors
    /// See [`call`](Self::call); and [`ProtocolError::TooLarge`] if a part of the head is.
    pub fn call_headed(
        &mut self,
        kind: CallKind,
        want: Want,
        head: &CallHead,
        payload: Payload,
    ) -> Result<u64, ProtocolError> {
        if head.is_empty() || !self.server.calls {
            return self.call(kind, want, payload);
        }
        let encoded = head.encode()?;
        payload.check(self.server.message_bytes_max.saturating_sub(encoded.len() as u64))?;
        let flags = want as u8 | flag::HEAD;
        let frame = Frame { payload, flags, ..Frame::bare(kind.frame_kind(), 0) };
        let call = self.request(&encoded, frame, Asked::Call(want))?;
        if let Some(pending) = self.pending.get_mut(call) {
            pending.expect(head);
        }
        Ok(call)
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

    /// Asks for the methods of the server's object. Only for a server whose
    /// [hello](ServerHello::services) says that it understands it.
    pub fn methods(&mut self) -> u64 {
        self.bare_request(Kind::Methods, Asked::Methods)
    }

    /// Asks for the jobs that the server knows. Only for a server whose [hello](ServerHello::jobs) says that it
    /// understands it.
    pub fn jobs(&mut self, request: &JobsRequest) -> u64 {
        self.unbuffered_request(Kind::Jobs, request.encode(), Asked::Jobs)
    }

    /// Asks to cancel a call of any client. Only for a server whose [hello](ServerHello::calls) says
    /// that it understands it.
    pub fn abort(&mut self, request: &AbortRequest) -> u64 {
        self.unbuffered_request(Kind::Abort, request.encode(), Asked::Abort)
    }

    /// Tells the server to cancel a call even if it runs. Its last event tells how it has ended: responses
    /// of a stream that are still on their way are dropped. Does nothing if the call is over here, or the
    /// server's [hello](ServerHello::calls) does not say that it understands it.
    pub fn interrupt(&mut self, call: u64) {
        let open = self.pending.get_mut(call).filter(|pending| pending.is_open_call());
        let Some(pending) = open.filter(|_| self.server.calls) else { return };
        pending.close();
        self.send_cancel(call, flag::ANSWER);
    }

    /// Sends what a callback has returned or raised. Does nothing if its call is over, or it has returned
    /// before.
    ///
    /// # Errors
    /// See [`call`](Self::call); the callback is open still.
    pub fn return_from_callback(
        &mut self,
        call: u64,
        number: u32,
        outcome: Result<Payload, &Failure>,
    ) -> Result<(), ProtocolError> {
        let open = self.pending.get_mut(call).filter(|pending| pending.is_open_call());
        let Some(pending) = open else { return Ok(()) };
        if let Ok(payload) = outcome {
            payload.check(self.server.message_bytes_max)?;
            if pending.has_callback(number) && !self.is_over {
                let bare = Frame::bare(Kind::CallbackReply, call);
                self.outbox.send(Frame { payload, seq: number, ..bare })?;
                pending.close_callback(number);
            }
        } else if let Err(failure) = outcome
            && pending.close_callback(number)
        {
            self.refuse_callback(call, number, failure);
        }
        Ok(())
    }

    /// Tells the server to drop a call that is not running yet, and forgets it here.
    pub fn cancel(&mut self, call: u64) {
        if self.take_heard(call).is_some() {
            self.send_cancel(call, 0);
        }
    }

    /// Like [`interrupt`](Self::interrupt), and forgets the call here. Its open callbacks fail.
    pub fn abandon(&mut self, call: u64) {
        let Some(mut pending) = self.take_heard(call) else { return };
        self.send_cancel(call, if self.server.calls { flag::ANSWER } else { 0 });
        self.refuse_callbacks(call, pending.take_callbacks());
    }

    /// Forgets a call whose further answers do not matter: it runs on. Its open callbacks fail, and of a
    /// stream the server is told that everything is taken.
    pub fn forget(&mut self, call: u64) {
        let Some(pending) = self.pending.get_mut(call) else { return };
        let callbacks = pending.take_callbacks();
        if !pending.is_open_stream() {
            self.pending.remove(call);
        } else if let Some(bytes) = pending.forget() {
            self.send_credit(call, bytes);
        }
        self.refuse_callbacks(call, callbacks);
    }

    /// The next event of a call, if there is one. The last event also ends the call here: nothing
    /// is left to forget.
    pub fn poll(&mut self, call: u64) -> Option<Event> {
        let pending = self.pending.get_mut(call)?;
        let (event, credit) = pending.poll();
        if pending.is_over() {
            self.pending.remove(call);
        }
        if let Some(bytes) = credit {
            self.send_credit(call, bytes);
        }
        event
    }

    /// Collects from now on for which calls something arrives.
    pub fn collect_news(&mut self) {
        self.news.get_or_insert_default();
    }

    /// The calls for which something has arrived since this was last asked, in the order of arrival and perhaps
    /// more than once. A [goodbye](Self::is_over) is news for any call.
    pub fn take_news(&mut self) -> Vec<u64> {
        self.news.as_mut().map(std::mem::take).unwrap_or_default()
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
        let frame = Frame { payload: data.into(), ..Frame::bare(kind, 0) };
        self.request(&[], frame, asked).expect("the request has no buffers")
    }

    /// Gives a frame the next id, and sends it behind its head.
    fn request(&mut self, head: &[u8], frame: Frame, asked: Asked) -> Result<u64, ProtocolError> {
        let call = self.last_call + 1;
        let mut pending = Pending::new(asked);
        if self.is_over {
            pending.refuse();
        } else {
            self.outbox.send_headed(head, Frame { call, ..frame })?;
        }
        self.last_call = call;
        self.pending.insert(call, pending);
        Ok(call)
    }

    /// Takes a request off the pending ones, unless it is forgotten.
    fn take_heard(&mut self, call: u64) -> Option<Pending> {
        self.pending.get_mut(call).filter(|pending| !pending.is_forgotten())?;
        self.pending.remove(call)
    }

    fn send_cancel(&mut self, call: u64, flags: u8) {
        self.send(Frame { flags, ..Frame::bare(Kind::Cancel, call) });
    }

    fn send_credit(&mut self, call: u64, bytes: u64) {
        let payload = bytes.to_le_bytes().to_vec().into();
        self.send(Frame { payload, ..Frame::bare(Kind::Credit, call) });
    }

    fn refuse_callbacks(&mut self, call: u64, numbers: Vec<u32>) {
        let failure = Failure::unheard();
        numbers.into_iter().for_each(|number| self.refuse_callback(call, number, &failure));
    }

    fn refuse_callback(&mut self, call: u64, number: u32, failure: &Failure) {
        let payload = failure.encode_within(self.server.message_bytes_max).into();
        let bare = Frame::bare(Kind::CallbackReply, call);
        self.send(Frame { flags: flag::FAILED, payload, seq: number, ..bare });
    }

    /// Sends what belongs to an earlier request, unless the server reads no more.
    fn send(&mut self, frame: Frame) {
        if !self.is_over {
            self.outbox.send(frame).expect("the frame has few buffers");
        }
    }

    fn sort(&mut self, frame: Frame) -> Result<(), ProtocolError> {
        let Frame { kind, seq, call, .. } = frame;
        if self.is_over {
            return Err(ProtocolError::Malformed("a frame behind a goodbye"));
        }
        if kind == Kind::ServerOffer {
            return self.receiver.offered(seq);
        }
        if let Some(segment) = self.receiver.missed(&frame.payload) {
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
        if kind == Kind::Callback && !self.server.calls {
            return Err(ProtocolError::Malformed("a callback of a server that takes no reply"));
        }
        let Some(pending) = self.pending.get_mut(call) else {
            // A task would wait for ever for a caller that has gone away without a word.
            if kind == Kind::Callback {
                self.refuse_callback(call, seq, &Failure::unheard());
            }
            return Ok(());
        };
        let due = pending.take_in(frame)?;
        if let Some(news) = &mut self.news {
            news.push(call);
        }
        if pending.is_over() {
            self.pending.remove(call);
        }
        match due {
            Due::Nothing => {}
            Due::Credit(bytes) => self.send_credit(call, bytes),
            Due::Refusal(failure) => self.refuse_callback(call, seq, &failure),
        }
        Ok(())
    }
}

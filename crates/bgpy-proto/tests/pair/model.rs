//! What has to happen, told a second time and without bytes: the server's end says what it did, and
//! the model what the client must therefore hear.

use std::collections::{BTreeMap, VecDeque};

use bgpy_proto::client::Event;
use bgpy_proto::{
    AbortReply, AbortRequest, CallHead, CallKind, DebugReply, DebugRequest, Delivered, Failure,
    FailureCode, JobsReply, JobsRequest, LogReply, LogRequest, MethodsReply, Payload, Progress,
    Request, Status, Want,
};

use crate::contents::assert_exceptions;
use crate::stream::{Call, Closing};

/// Everything that was asked, and everything that is due as an answer.
pub struct Model {
    calls: BTreeMap<u64, Call>,
    /// What the server has to be asked, in this order. Credits and what callbacks have returned are beside
    /// it: whether they are sent depends on what has arrived.
    asked: VecDeque<Asked>,
    /// Whether the client knows progress, callbacks and all codes.
    client_knows: bool,
    /// Whether the server knows heads, credits, aborts and answers to cancels.
    server_knows: bool,
}

enum Asked {
    Call { id: u64, kind: CallKind, want: Want, head: CallHead, payload: Payload },
    Cancel { id: u64, interrupt: bool },
    Status { id: u64 },
    Log { id: u64, request: LogRequest },
    Debug { id: u64, request: DebugRequest },
    Abort { id: u64, request: AbortRequest },
    Methods { id: u64 },
    Jobs { id: u64, request: JobsRequest },
}

/// An event that the client has to hear.
pub enum Due {
    Accepted,
    Response { payload: Payload, error: bool, last: bool },
    Callback { number: u32, payload: Payload },
    Ended { already: bool },
    Failed(Failure),
    Pong,
    Status(Status),
    Log(LogReply),
    Debug(DebugReply),
    Abort(AbortReply),
    Methods(MethodsReply),
    Jobs(JobsReply),
}

impl Model {
    /// Two sides, either of which may know no more than bgpy 1.0.
    pub fn new(client_knows: bool, server_knows: bool) -> Self {
        Self { calls: BTreeMap::new(), asked: VecDeque::new(), client_knows, server_knows }
    }

    /// The client starts a call.
    pub fn call(&mut self, id: u64, kind: CallKind, want: Want, head: CallHead, payload: Payload) {
        let head = if self.server_knows { head } else { CallHead::default() };
        self.add(id, Some(want));
        self.at(id).head = head.clone();
        self.asked.push_back(Asked::Call { id, kind, want, head, payload });
    }

    /// The client pings; the session answers by itself.
    pub fn ping(&mut self, id: u64) {
        self.add(id, None);
        self.tell(id, Due::Pong);
    }

    /// The client asks for the status.
    pub fn status(&mut self, id: u64) {
        self.add(id, None);
        self.asked.push_back(Asked::Status { id });
    }

    /// The client asks for a piece of the log.
    pub fn log(&mut self, id: u64, request: LogRequest) {
        self.add(id, None);
        self.asked.push_back(Asked::Log { id, request });
    }

    /// The client asks a debug question.
    pub fn debug(&mut self, id: u64, request: DebugRequest) {
        self.add(id, None);
        self.asked.push_back(Asked::Debug { id, request });
    }

    /// The client asks to cancel somebody's call.
    pub fn abort(&mut self, id: u64, request: AbortRequest) {
        self.add(id, None);
        self.asked.push_back(Asked::Abort { id, request });
    }

    /// The client asks for the methods.
    pub fn methods(&mut self, id: u64) {
        self.add(id, None);
        self.asked.push_back(Asked::Methods { id });
    }

    /// The client asks for the jobs.
    pub fn jobs(&mut self, id: u64, request: JobsRequest) {
        self.add(id, None);
        self.asked.push_back(Asked::Jobs { id, request });
    }

    /// The client cancels, and perhaps as it does with calls that run. That says nothing of a call that it
    /// knows to be over.
    pub fn cancel(&mut self, id: u64, interrupt: bool) {
        let interrupt = interrupt && self.server_knows;
        let call = self.at(id);
        if !call.deaf && (call.open || !call.due.is_empty()) {
            self.asked.push_back(Asked::Cancel { id, interrupt });
        }
        self.forget(id);
    }

    /// The client cancels, and waits for the end.
    pub fn interrupt(&mut self, id: u64) {
        let is_known = self.server_knows;
        let call = self.at(id);
        if !is_known || call.deaf || call.want.is_none() {
            return;
        }
        call.give_up();
        if call.open {
            self.asked.push_back(Asked::Cancel { id, interrupt: true });
        }
    }

    /// The client forgets a call.
    pub fn forget(&mut self, id: u64) {
        self.at(id).deaf = true;
    }

    /// A callback returns on the client.
    pub fn return_from_callback(
        &mut self,
        id: u64,
        number: u32,
        outcome: Result<Payload, Failure>,
    ) {
        let call = self.at(id);
        if !call.deaf {
            call.returned.entry(number).or_insert(outcome);
        }
    }

    /// The server was asked for something: it must be what the client asked for next.
    pub fn check_request(&mut self, request: &Request) {
        match request {
            Request::Credit { id } => return self.at(*id).check_credit(),
            Request::CallbackReply { id, number, outcome } => {
                return self.at(*id).check_return(*number, outcome);
            }
            _ => {}
        }
        let mut asked = self.asked.pop_front();
        // The server passes over a cancel that has crossed the last frame of its call.
        while let Some(Asked::Cancel { id, .. }) = asked
            && !self.at(id).open
        {
            asked = self.asked.pop_front();
        }
        match (request, asked) {
            (
                Request::Call { id, kind, want, head, message },
                Some(Asked::Call {
                    id: id_due,
                    kind: kind_due,
                    want: want_due,
                    head: due,
                    payload,
                }),
            ) => {
                assert_eq!((*id, *kind, *want), (id_due, kind_due, want_due));
                assert_eq!(head.as_deref(), Some(&due).filter(|due| !due.is_empty()));
                assert_same(message, &payload);
            }
            (
                Request::Cancel { id, interrupt },
                Some(Asked::Cancel { id: id_due, interrupt: interrupt_due }),
            ) => {
                assert_eq!((*id, *interrupt), (id_due, interrupt_due));
                let call = self.at(*id);
                call.open = *interrupt;
                call.closed = call.window().is_some();
            }
            (Request::Status { id }, Some(Asked::Status { id: due })) => assert_eq!(*id, due),
            (Request::Log { id, request }, Some(Asked::Log { id: id_due, request: due })) => {
                assert_eq!((*id, request), (id_due, &due));
            }
            (Request::Debug { id, request }, Some(Asked::Debug { id: id_due, request: due })) => {
                assert_eq!((*id, request), (id_due, &due));
            }
            (Request::Abort { id, request }, Some(Asked::Abort { id: id_due, request: due })) => {
                assert_eq!((*id, request), (id_due, &due));
            }
            (Request::Methods { id }, Some(Asked::Methods { id: due })) => assert_eq!(*id, due),
            (Request::Jobs { id, request }, Some(Asked::Jobs { id: id_due, request: due })) => {
                assert_eq!((*id, request), (id_due, &due));
            }
            (request, _) => panic!("nobody asked for {request:?}"),
        }
    }

    /// The server accepts a call.
    pub fn ack(&mut self, id: u64) {
        let call = self.at(id);
        if call.open && !call.accepted {
            call.accepted = true;
            call.open = call.want != Some(Want::Ack);
            call.due.push_back(Due::Accepted);
        }
    }

    /// Whether the caller waits for a response.
    pub fn listens(&mut self, id: u64) -> bool {
        self.at(id).listens()
    }

    /// The server responds, perhaps with what a method has returned; the result says whether the caller listens.
    pub fn respond(&mut self, id: u64, payload: Payload, error: bool, is_result: bool) -> bool {
        let call = self.at(id);
        let listens = call.listens();
        if listens {
            let is_result = is_result && call.head.method.is_some();
            let last = call.want == Some(Want::First) || is_result;
            call.accepted = true;
            call.open = !last;
            call.send(&payload);
            call.due.push_back(Due::Response { payload, error, last });
        }
        listens
    }

    /// The server tells how far a call has come.
    pub fn progress(&mut self, id: u64, progress: Progress) {
        let is_known = self.client_knows;
        let call = self.at(id);
        if is_known && call.open && call.head.progress && call.want != Some(Want::Ack) {
            call.accepted = true;
            call.progress.push_back(progress);
        }
    }

    /// The server calls a function of the caller's; the result is the number of the callback.
    pub fn callback(&mut self, id: u64, payload: Payload) -> Option<u32> {
        let is_known = self.client_knows;
        let call = self.at(id);
        (is_known && call.listens()).then(|| {
            call.accepted = true;
            let number = call.call_back();
            call.due.push_back(Due::Callback { number, payload });
            number
        })
    }

    /// The server ends a call.
    pub fn end(&mut self, id: u64, already: bool) {
        self.last(id, Due::Ended { already });
    }

    /// The server fails a call; the result says whether the caller listens.
    pub fn fail(&mut self, id: u64, mut failure: Failure) -> bool {
        if !self.client_knows {
            failure.code = match failure.code {
                FailureCode::Cancelled | FailureCode::Expired => FailureCode::Task,
                FailureCode::Deadlock => FailureCode::Refused,
                code => code,
            };
        }
        self.last(id, Due::Failed(failure))
    }

    /// The server answers a question.
    pub fn tell(&mut self, id: u64, due: Due) {
        let call = self.at(id);
        call.open = false;
        call.due.push_back(due);
    }

    /// The server says goodbye, and has been asked for nothing behind `last` but perhaps for pings:
    /// every call behind it is refused. Returns whether any was.
    pub fn goodbye(&mut self, last: u64) -> bool {
        let mut any = false;
        for (_, call) in self.calls.range_mut(last + 1..) {
            if call.open && !call.deaf && call.want.is_some() {
                call.due.push_back(Due::Failed(Failure::stopping()));
                any = true;
            }
            call.open = false;
        }
        any
    }

    /// Whether something is the answer to a ping.
    pub fn is_ping(&self, id: u64) -> bool {
        matches!(self.calls[&id].due.front(), Some(Due::Pong))
    }

    /// The client heard something: it must be what is due next.
    pub fn check_event(&mut self, id: u64, event: Event) {
        let call = self.at(id);
        assert!(!call.deaf, "call {id} is forgotten and hears {event:?}");
        if let Event::Progress(progress) = event {
            return call.check_progress(&progress);
        }
        // The last response also tells how the call has ended.
        if !matches!(event, Event::Response { last: false, .. }) {
            call.drop_given_up();
        }
        match (event, call.due.pop_front()) {
            (Event::Accepted, Some(Due::Accepted)) | (Event::Pong, Some(Due::Pong)) => {}
            (
                Event::Response { message, error, last },
                Some(Due::Response { payload, error: error_due, last: last_due }),
            ) => {
                assert!(
                    call.closing != Closing::Yes || last,
                    "call {id} hears what it has given up"
                );
                assert_eq!((error, last), (error_due, last_due));
                assert_same(&message, &payload);
                call.take(&payload);
            }
            (Event::Callback { number, message }, Some(Due::Callback { number: due, payload })) => {
                assert_eq!(number, due);
                assert_same(&message, &payload);
            }
            (Event::Ended { already }, Some(Due::Ended { already: due })) => {
                assert_eq!(already, due);
            }
            (Event::Failed { failure, exceptions }, Some(Due::Failed(mut due))) => {
                assert_exceptions(&exceptions, &mut due);
                assert_eq!(*failure, due);
            }
            (Event::Status(status), Some(Due::Status(due))) => assert_eq!(*status, due),
            (Event::Log(reply), Some(Due::Log(due))) => assert_eq!(*reply, due),
            (Event::Debug(reply), Some(Due::Debug(due))) => assert_eq!(*reply, due),
            (Event::Abort(reply), Some(Due::Abort(due))) => assert_eq!(*reply, due),
            (Event::Methods(reply), Some(Due::Methods(due))) => assert_eq!(*reply, due),
            (Event::Jobs(reply), Some(Due::Jobs(due))) => assert_eq!(*reply, due),
            (event, _) => panic!("call {id} was not to hear {event:?}"),
        }
    }

    /// How far the server may be ahead, over all streams: at least what it has sent and nobody has heard,
    /// and at most all that it has sent.
    pub fn check_ahead(&self, ahead: u64) {
        let streams = || self.calls.values().filter(|call| call.is_open_stream());
        let least: u64 = streams().filter(|call| !call.deaf).map(Call::unheard).sum();
        let most: u64 = streams().map(|call| call.sent).sum();
        assert!(least <= ahead && ahead <= most, "{ahead} is not within {least} to {most}");
    }

    /// Everything was carried across, heard and returned, and calls may still be open: nothing waits for
    /// the client.
    pub fn check_quiet(&self, ahead: u64) {
        let streams = self.calls.values().filter(|call| call.is_open_stream());
        let most: u64 = streams.filter_map(Call::window).map(|window| window / 2).sum();
        assert!(ahead <= most, "{ahead} bytes are not credited, of windows of {most} in all");
        for (id, call) in &self.calls {
            assert!(!call.open || call.callbacks.is_empty(), "a callback of {id} never returns");
        }
    }

    /// Nothing was lost: all that was asked and all that was due has come.
    pub fn check_complete(&self) {
        for asked in &self.asked {
            let Asked::Cancel { id, .. } = asked else { panic!("the server missed a request") };
            assert!(!self.calls[id].open, "the server missed that {id} was cancelled");
        }
        for (id, call) in &self.calls {
            assert!(call.deaf || call.due.is_empty(), "call {id} misses an event");
            assert!(!call.open, "call {id} never ended");
        }
    }

    fn add(&mut self, id: u64, want: Option<Want>) {
        assert!(self.calls.insert(id, Call::new(want)).is_none(), "an id was given twice");
    }

    fn last(&mut self, id: u64, due: Due) -> bool {
        let listened = self.at(id).open;
        if listened {
            self.tell(id, due);
        }
        listened
    }

    fn at(&mut self, id: u64) -> &mut Call {
        self.calls.get_mut(&id).expect("the id was given by the client")
    }
}

/// Checks that a message has come as it was sent.
pub fn assert_same(message: &Delivered, payload: &Payload) {
    assert!(message.data() == payload.data, "the data was changed");
    assert!(message.buffers() == payload.buffers, "the buffers were changed");
    assert_eq!(message.bytes(), payload.bytes());
}

//! What has to happen, told a second time and without bytes: the server's end says what it did, and
//! the model what the client must therefore hear.

use std::collections::{BTreeMap, VecDeque};

use bgpy_proto::client::Event;
use bgpy_proto::{
    CallKind, DebugReply, DebugRequest, Delivered, Failure, LogReply, LogRequest, Payload, Request,
    Status, Want,
};

/// Everything that was asked, and everything that is due as an answer.
#[derive(Default)]
pub struct Model {
    calls: BTreeMap<u64, Call>,
    /// What the server has to be asked, in this order.
    asked: VecDeque<Asked>,
}

struct Call {
    /// `None` for pings, and requests for the status, the log and debugging.
    want: Option<Want>,
    /// Whether it is a call that the server has not ended, as far as the model has seen.
    open: bool,
    accepted: bool,
    /// Whether the client has cancelled or forgotten it.
    deaf: bool,
    due: VecDeque<Due>,
}

enum Asked {
    Call { id: u64, kind: CallKind, want: Want, payload: Payload },
    Cancel { id: u64 },
    Status { id: u64 },
    Log { id: u64, request: LogRequest },
    Debug { id: u64, request: DebugRequest },
}

enum Due {
    Accepted,
    Response { payload: Payload, error: bool, last: bool },
    Ended { already: bool },
    Failed(Failure),
    Pong,
    Status(Status),
    Log(LogReply),
    Debug(DebugReply),
}

impl Model {
    /// The client starts a call.
    pub fn call(&mut self, id: u64, kind: CallKind, want: Want, payload: Payload) {
        self.add(id, Some(want));
        self.asked.push_back(Asked::Call { id, kind, want, payload });
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

    /// The client cancels. That says nothing of a call that it knows to be over.
    pub fn cancel(&mut self, id: u64) {
        let call = self.at(id);
        if !call.deaf && (call.open || !call.due.is_empty()) {
            self.asked.push_back(Asked::Cancel { id });
        }
        self.forget(id);
    }

    /// The client forgets a call.
    pub fn forget(&mut self, id: u64) {
        self.at(id).deaf = true;
    }

    /// The server was asked for something: it must be what the client asked for next.
    pub fn check_request(&mut self, request: &Request) {
        let mut asked = self.asked.pop_front();
        // The server passes over a cancel that has crossed the last frame of its call.
        while let Some(Asked::Cancel { id }) = asked
            && !self.at(id).open
        {
            asked = self.asked.pop_front();
        }
        match (request, asked) {
            (
                Request::Call { id, kind, want, message },
                Some(Asked::Call { id: id_due, kind: kind_due, want: want_due, payload }),
            ) => {
                assert_eq!((*id, *kind, *want), (id_due, kind_due, want_due));
                assert_same(message, &payload);
            }
            (Request::Cancel { id }, Some(Asked::Cancel { id: due })) => {
                assert_eq!(*id, due);
                self.at(*id).open = false;
            }
            (Request::Status { id }, Some(Asked::Status { id: due })) => assert_eq!(*id, due),
            (Request::Log { id, request }, Some(Asked::Log { id: id_due, request: due })) => {
                assert_eq!((*id, request), (id_due, &due));
            }
            (Request::Debug { id, request }, Some(Asked::Debug { id: id_due, request: due })) => {
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

    /// The server responds; the result says whether the caller listens.
    pub fn respond(&mut self, id: u64, payload: Payload, error: bool) -> bool {
        let call = self.at(id);
        let listens = call.open && call.want != Some(Want::Ack);
        if listens {
            let last = call.want == Some(Want::First);
            call.accepted = true;
            call.open = !last;
            call.due.push_back(Due::Response { payload, error, last });
        }
        listens
    }

    /// The server ends a call.
    pub fn end(&mut self, id: u64, already: bool) {
        self.last(id, Due::Ended { already });
    }

    /// The server fails a call; the result says whether the caller listens.
    pub fn fail(&mut self, id: u64, failure: Failure) -> bool {
        self.last(id, Due::Failed(failure))
    }

    /// The server answers a status request.
    pub fn tell_status(&mut self, id: u64, status: Status) {
        self.tell(id, Due::Status(status));
    }

    /// The server answers a log request.
    pub fn tell_log(&mut self, id: u64, reply: LogReply) {
        self.tell(id, Due::Log(reply));
    }

    /// The server answers a debug request.
    pub fn tell_debug(&mut self, id: u64, reply: DebugReply) {
        self.tell(id, Due::Debug(reply));
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
        match (event, call.due.pop_front()) {
            (Event::Accepted, Some(Due::Accepted)) | (Event::Pong, Some(Due::Pong)) => {}
            (
                Event::Response { message, error, last },
                Some(Due::Response { payload, error: error_due, last: last_due }),
            ) => {
                assert_eq!((error, last), (error_due, last_due));
                assert_same(&message, &payload);
            }
            (Event::Ended { already }, Some(Due::Ended { already: due })) => {
                assert_eq!(already, due);
            }
            (Event::Failed { failure, object }, Some(Due::Failed(mut due))) => {
                let object_due = due.object.take();
                assert_eq!(*failure, due);
                assert_eq!(object.as_deref().map(Delivered::data), object_due.as_deref());
            }
            (Event::Status(status), Some(Due::Status(due))) => assert_eq!(*status, due),
            (Event::Log(reply), Some(Due::Log(due))) => assert_eq!(*reply, due),
            (Event::Debug(reply), Some(Due::Debug(due))) => assert_eq!(*reply, due),
            (event, _) => panic!("call {id} was not to hear {event:?}"),
        }
    }

    /// Nothing was lost: all that was asked and all that was due has come.
    pub fn check_complete(&self) {
        for asked in &self.asked {
            let Asked::Cancel { id } = asked else { panic!("the server missed a request") };
            assert!(!self.calls[id].open, "the server missed that {id} was cancelled");
        }
        for (id, call) in &self.calls {
            assert!(call.deaf || call.due.is_empty(), "call {id} misses an event");
            assert!(!call.open, "call {id} never ended");
        }
    }

    fn add(&mut self, id: u64, want: Option<Want>) {
        let call = Call { want, open: true, accepted: false, deaf: false, due: VecDeque::new() };
        assert!(self.calls.insert(id, call).is_none(), "an id was given twice");
    }

    fn last(&mut self, id: u64, due: Due) -> bool {
        let listened = self.at(id).open;
        if listened {
            self.tell(id, due);
        }
        listened
    }

    fn tell(&mut self, id: u64, due: Due) {
        let call = self.at(id);
        call.open = false;
        call.due.push_back(due);
    }

    fn at(&mut self, id: u64) -> &mut Call {
        self.calls.get_mut(&id).expect("the id was given by the client")
    }
}

fn assert_same(message: &Delivered, payload: &Payload) {
    assert!(message.data() == payload.data, "the data was changed");
    assert!(message.buffers() == payload.buffers, "the buffers were changed");
    assert_eq!(message.bytes(), payload.bytes());
}

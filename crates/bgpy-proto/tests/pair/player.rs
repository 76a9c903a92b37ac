//! What the two sides of a [`World`] do.

use bgpy_proto::client::Event;
use bgpy_proto::{CallKind, Request, Room, Want};

use crate::contents::{
    abort_reply, abort_request, debug_reply, debug_request, failure, head, jobs_reply,
    jobs_request, log_reply, log_request, methods, of_job, payload, progress, status,
};
use crate::model::Due;
use crate::world::World;

impl World {
    pub fn server_reads(&mut self) {
        let bytes = self.up.read(self.left, &mut self.random);
        self.left -= bytes.len();
        self.server.feed(&bytes, self.placed).expect("an honest client is understood");
        let Some(session) = &mut self.server.session else { return };
        assert_eq!(*session.client(), self.client_hello);
        while let Some(request) = session.poll() {
            self.seen.requests += 1;
            self.model.check_request(&request);
            match request {
                Request::Call { id, head, .. } => {
                    self.seen.heads += usize::from(head.is_some());
                    self.known.push(id);
                    self.asked = id;
                }
                Request::Cancel { interrupt, .. } => {
                    self.seen.interrupts += usize::from(interrupt);
                }
                Request::Credit { .. } => self.seen.credits += 1,
                Request::CallbackReply { .. } => self.seen.returned += 1,
                Request::Status { id } => {
                    self.asked = id;
                    let status = status(&mut self.random);
                    session.status(id, &status);
                    self.model.tell(id, Due::Status(status));
                }
                Request::Log { id, .. } => {
                    self.asked = id;
                    let reply = log_reply(&mut self.random);
                    session.log(id, &reply);
                    self.model.tell(id, Due::Log(reply));
                }
                Request::Debug { id, .. } => {
                    self.asked = id;
                    let reply = debug_reply(&mut self.random);
                    session.debug(id, &reply);
                    self.model.tell(id, Due::Debug(reply));
                }
                Request::Methods { id } => {
                    self.asked = id;
                    self.seen.methods += 1;
                    let reply = methods(&mut self.random);
                    session.methods(id, &reply);
                    self.model.tell(id, Due::Methods(reply));
                }
                Request::Jobs { id, .. } => {
                    self.asked = id;
                    self.seen.jobs += 1;
                    let reply = jobs_reply(&mut self.random);
                    session.jobs(id, reply.clone());
                    self.model.tell(id, Due::Jobs(reply));
                }
                Request::Abort { id, .. } => {
                    self.asked = id;
                    self.seen.aborts += 1;
                    let reply = abort_reply(&mut self.random);
                    session.aborted(id, &reply);
                    self.model.tell(id, Due::Abort(reply));
                }
            }
        }
        self.model.check_ahead(session.ahead());
    }

    pub fn client_reads(&mut self) {
        let bytes = self.down.read(self.left, &mut self.random);
        self.left -= bytes.len();
        self.client.feed(&bytes, self.placed).expect("an honest server is understood");
        if let Some(session) = &self.client.session {
            assert_eq!(*session.server(), self.server_hello);
        }
    }

    pub fn client_asks(&mut self) {
        let Some(session) = &mut self.client.session else { return };
        let random = &mut self.random;
        let id = match random.below(16) {
            0 => {
                let id = session.ping();
                self.model.ping(id);
                id
            }
            1 => {
                let id = session.status();
                self.model.status(id);
                id
            }
            2 => {
                let request = log_request(random);
                let id = session.log(&request);
                self.model.log(id, request);
                id
            }
            3 => {
                let request = debug_request(random);
                let id = session.debug(&request);
                self.model.debug(id, request);
                id
            }
            4 if self.server_hello.calls => {
                let request = abort_request(random);
                let id = session.abort(&request);
                self.model.abort(id, request);
                id
            }
            8 if self.server_hello.services => {
                let id = session.methods();
                self.model.methods(id);
                id
            }
            9 if self.server_hello.jobs => {
                let request = jobs_request(random);
                let id = session.jobs(&request);
                self.model.jobs(id, request);
                id
            }
            5..=7 if !self.made.is_empty() => return self.client_gives_up(),
            _ => {
                let kind = [CallKind::Init, CallKind::Exec, CallKind::Exit][random.below(3)];
                let want = [Want::Ack, Want::First, Want::All, Want::All][random.below(4)];
                let (mut head, payload) = (head(random), payload(random));
                let may_be_job = kind == CallKind::Exec && want != Want::All;
                if may_be_job && self.server_hello.jobs && random.one_in(3) {
                    head = of_job(head, random);
                }
                let id = session.call_headed(kind, want, &head, payload.clone());
                let id = id.expect("the head is short and the buffers are few");
                self.model.call(id, kind, want, head, payload);
                id
            }
        };
        self.made.push(id);
    }

    /// Gives up any request, in one of four ways. It may be over.
    fn client_gives_up(&mut self) {
        let session = self.client.session.as_mut().expect("a session has given out the ids");
        let id = self.made[self.random.below(self.made.len())];
        match self.random.below(6) {
            0 => {
                session.cancel(id);
                self.model.cancel(id, false);
            }
            1 => {
                session.abandon(id);
                self.model.cancel(id, true);
            }
            2..=3 => {
                session.forget(id);
                self.model.forget(id);
            }
            _ => {
                session.interrupt(id);
                self.model.interrupt(id);
            }
        }
    }

    /// Returns from any callback, sometimes twice. Its call may be over.
    pub fn client_returns(&mut self) {
        if self.called.is_empty() {
            return;
        }
        let session = self.client.session.as_mut().expect("callbacks come from a session");
        let random = &mut self.random;
        let (id, number) = self.called.swap_remove(random.below(self.called.len()));
        for _ in 0..=usize::from(random.one_in(8)) {
            let outcome = if random.one_in(2) { Ok(payload(random)) } else { Err(failure(random)) };
            session
                .return_from_callback(id, number, outcome.as_ref().cloned())
                .expect("the buffers are few");
            self.model.return_from_callback(id, number, outcome);
        }
    }

    /// Acts on any call, be it over or cancelled: a task does not know.
    pub fn server_acts(&mut self) {
        if self.known.is_empty() {
            return;
        }
        // Mostly one of the last, which is seldom over.
        let last = if self.random.one_in(4) { self.known.len() } else { self.known.len().min(4) };
        let call = self.known[self.known.len() - 1 - self.random.below(last)];
        let session = self.server.session.as_mut().expect("calls come from a session");
        match self.random.below(12) {
            0..=1 => {
                session.ack(call);
                self.model.ack(call);
            }
            2..=8 => {
                let (payload, error) = (payload(&mut self.random), self.random.one_in(4));
                let listens = self.model.listens(call);
                assert_eq!(session.wants_response(call), listens);
                match session.room(call) {
                    Room::Full => {
                        self.seen.full += 1;
                        assert!(listens);
                        return;
                    }
                    room => assert_eq!(room == Room::Open, listens),
                }
                let is_result = self.random.one_in(6);
                self.model.respond(call, payload.clone(), error && !is_result, is_result);
                let sent = match is_result {
                    true => session.respond_last(call, payload),
                    false => session.respond(call, payload, error),
                };
                assert_eq!(sent, Ok(listens));
            }
            9 => {
                let progress = progress(&mut self.random);
                session.progress(call, &progress);
                self.model.progress(call, progress);
            }
            // A server that takes no reply calls nobody.
            10 if self.server_hello.calls => {
                let payload = payload(&mut self.random);
                let number = session.callback(call, payload.clone()).expect("the buffers are few");
                assert_eq!(number, self.model.callback(call, payload));
            }
            _ => return self.end_or_fail(call),
        }
        self.model.check_ahead(session.ahead());
    }

    pub fn end_or_fail(&mut self, call: u64) {
        let session = self.server.session.as_mut().expect("calls come from a session");
        if self.random.one_in(2) {
            let already = self.random.one_in(2);
            session.end(call, already);
            self.model.end(call, already);
        } else {
            let failure = failure(&mut self.random);
            let listened = session.fail(call, &failure);
            assert_eq!(listened, self.model.fail(call, failure));
        }
        self.model.check_ahead(session.ahead());
    }

    pub fn client_hears(&mut self) {
        if !self.made.is_empty() {
            let id = self.made[self.random.below(self.made.len())];
            self.hear(id);
        }
    }

    pub fn hear_all(&mut self) {
        for id in self.made.clone() {
            while self.hear(id) {}
        }
    }

    fn hear(&mut self, id: u64) -> bool {
        let Some(session) = &mut self.client.session else { return false };
        let Some(event) = session.poll(id) else { return false };
        self.seen.events += 1;
        match &event {
            Event::Progress(_) => self.seen.progress += 1,
            Event::Callback { number, .. } => self.called.push((id, *number)),
            _ => {}
        }
        self.model.check_event(id, event);
        true
    }
}

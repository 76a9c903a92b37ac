//! Random schedules, each of them fixed by its seed.

use std::sync::Arc;

use bgpy_proto::limits::{DEBUG_TEXT_BYTES_MAX, LOG_BYTES_MAX, LOG_CURSOR_BYTES_MAX};
use bgpy_proto::{
    Buffer, CallKind, DebugReply, DebugRequest, Failure, FailureCode, LogCursor, LogPiece,
    LogReply, LogRequest, Outbox, Payload, Request, State, Status, Want,
};

use crate::link::{self, ClientEnd, Lent, Pipe, SUITES, ServerEnd};
use crate::model::Model;
use crate::random::Random;

const SEEDS: u64 = 6_000;

struct World {
    random: Random,
    client: ClientEnd,
    server: ServerEnd,
    up: Pipe,
    down: Pipe,
    /// Bytes that may still be read, on both sides together, before the connection is cut.
    left: usize,
    owning: bool,
    placed: bool,
    model: Model,
    /// Ids that the client has given out.
    made: Vec<u64>,
    /// Calls that the server knows, over or not.
    known: Vec<u64>,
    /// The last request that the server knows.
    asked: u64,
    requests: usize,
}

#[test]
fn every_call_hears_what_it_wants_and_no_more() {
    let (mut requests, mut events) = (0, 0);
    for seed in 0..SEEDS {
        let mut world = World::new(seed, usize::MAX);
        let steps = world.random.below(600);
        (0..steps).for_each(|_| events += world.step());
        events += world.finish();
        world.model.check_complete();
        requests += world.requests;
    }
    // A schedule that does nothing would agree with every model.
    assert!(requests > 10 * SEEDS as usize, "only {requests} requests were played");
    assert!(events > 10 * SEEDS as usize, "only {events} events were heard");
}

#[test]
fn a_cut_at_any_byte_invents_nothing() {
    let mut cuts = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed, 0);
        world.left = world.random.magnitude(18);
        let steps = world.random.below(600);
        for _ in 0..steps {
            world.step();
        }
        // What was delivered is heard; the model panics at anything else.
        world.hear_all();
        cuts += u64::from(world.left == 0);
    }
    assert!(cuts > SEEDS / 2, "only {cuts} connections were cut");
}

#[test]
fn a_goodbye_refuses_what_was_not_read() {
    let mut refused = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed, usize::MAX);
        let steps = world.random.below(600);
        (0..steps).for_each(|_| _ = world.step());
        refused += u64::from(world.part());
    }
    assert!(refused > SEEDS / 10, "only {refused} worlds had something to refuse");
}

impl World {
    fn new(seed: u64, left: usize) -> Self {
        let suite = SUITES[seed as usize % SUITES.len()];
        let psk = link::psk('w');
        let (client, out) = link::client(suite, &psk);
        let mut random = Random::new(seed);
        let (owning, placed) = (random.one_in(2), random.one_in(2));
        Self {
            random,
            client: ClientEnd::new(client, out),
            server: ServerEnd::new(link::server(&psk), Outbox::default()),
            up: Pipe::default(),
            down: Pipe::default(),
            left,
            owning,
            placed,
            model: Model::default(),
            made: Vec::new(),
            known: Vec::new(),
            asked: 0,
            requests: 0,
        }
    }

    /// Lets one thing happen, and returns the number of events that the client heard.
    fn step(&mut self) -> usize {
        match self.random.below(12) {
            0..=1 => self.client.write(&mut self.up, self.owning, &mut self.random),
            2..=3 => self.server.write(&mut self.down, self.owning, &mut self.random),
            4..=5 => self.server_reads(),
            6..=7 => self.client_reads(),
            8 => self.client_asks(),
            9..=10 => self.server_acts(),
            _ => return self.client_hears(),
        }
        0
    }

    /// Ends every call and carries everything across.
    fn finish(&mut self) -> usize {
        loop {
            self.client.write(&mut self.up, self.owning, &mut self.random);
            self.server.write(&mut self.down, self.owning, &mut self.random);
            self.server_reads();
            self.client_reads();
            for call in std::mem::take(&mut self.known) {
                self.end_or_fail(call);
            }
            let ready = self.client.session.is_some() && self.server.session.is_some();
            let quiet = self.client.is_quiet() && self.server.is_quiet();
            if ready && quiet && self.up.is_empty() && self.down.is_empty() {
                return self.hear_all();
            }
        }
    }

    /// Lets the server end; returns whether the client was refused something.
    fn part(&mut self) -> bool {
        let (Some(server), true) = (&mut self.server.session, self.client.session.is_some()) else {
            return false;
        };
        server.say_goodbye();
        let refused = self.model.goodbye(self.asked);
        while !(self.server.is_quiet() && self.down.is_empty()) {
            self.server.write(&mut self.down, self.owning, &mut self.random);
            self.client_reads();
        }
        // Whether the server has read a ping is not known here.
        self.made.retain(|id| !self.model.is_ping(*id));
        self.hear_all();
        refused
    }

    fn server_reads(&mut self) {
        let bytes = self.up.read(self.left, &mut self.random);
        self.left -= bytes.len();
        self.server.feed(&bytes, self.placed).expect("an honest client is understood");
        let Some(session) = &mut self.server.session else { return };
        assert_eq!(*session.client(), link::client_hello());
        while let Some(request) = session.poll() {
            self.requests += 1;
            self.model.check_request(&request);
            match request {
                Request::Call { id, .. } => {
                    self.known.push(id);
                    self.asked = id;
                }
                Request::Cancel { .. } => {}
                Request::Status { id } => {
                    self.asked = id;
                    let status = status(&mut self.random);
                    session.status(id, &status);
                    self.model.tell_status(id, status);
                }
                Request::Log { id, .. } => {
                    self.asked = id;
                    let reply = log_reply(&mut self.random);
                    session.log(id, &reply);
                    self.model.tell_log(id, reply);
                }
                Request::Debug { id, .. } => {
                    self.asked = id;
                    let reply = debug_reply(&mut self.random);
                    session.debug(id, &reply);
                    self.model.tell_debug(id, reply);
                }
            }
        }
    }

    fn client_reads(&mut self) {
        let bytes = self.down.read(self.left, &mut self.random);
        self.left -= bytes.len();
        self.client.feed(&bytes, self.placed).expect("an honest server is understood");
        if let Some(session) = &self.client.session {
            assert_eq!(*session.server(), link::server_hello());
        }
    }

    fn client_asks(&mut self) {
        let Some(session) = &mut self.client.session else { return };
        let random = &mut self.random;
        match random.below(12) {
            0 => {
                let id = session.ping();
                self.model.ping(id);
                self.made.push(id);
            }
            1 => {
                let id = session.status();
                self.model.status(id);
                self.made.push(id);
            }
            2 => {
                let request = log_request(random);
                let id = session.log(&request);
                self.model.log(id, request);
                self.made.push(id);
            }
            3 => {
                let request = debug_request(random);
                let id = session.debug(&request);
                self.model.debug(id, request);
                self.made.push(id);
            }
            4..=5 if !self.made.is_empty() => {
                let id = self.made[random.below(self.made.len())];
                if random.one_in(2) {
                    session.cancel(id);
                    self.model.cancel(id);
                } else {
                    session.forget(id);
                    self.model.forget(id);
                }
            }
            _ => {
                let kind = [CallKind::Init, CallKind::Exec, CallKind::Exit][random.below(3)];
                let want = [Want::Ack, Want::First, Want::All][random.below(3)];
                let payload = payload(random);
                let id = session.call(kind, want, payload.clone()).expect("the buffers are few");
                self.model.call(id, kind, want, payload);
                self.made.push(id);
            }
        }
    }

    /// Acts on any call, be it over or cancelled: a task does not know.
    fn server_acts(&mut self) {
        if self.known.is_empty() {
            return;
        }
        let call = self.known[self.random.below(self.known.len())];
        let session = self.server.session.as_mut().expect("calls come from a session");
        match self.random.below(8) {
            0..=2 => {
                session.ack(call);
                self.model.ack(call);
            }
            3..=6 => {
                let (payload, error) = (payload(&mut self.random), self.random.one_in(4));
                let wanted = session.wants_response(call);
                let listens = self.model.respond(call, payload.clone(), error);
                let sent = session.respond(call, payload, error).expect("the buffers are few");
                assert_eq!((sent, wanted), (listens, listens));
            }
            _ => self.end_or_fail(call),
        }
    }

    fn end_or_fail(&mut self, call: u64) {
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
    }

    fn client_hears(&mut self) -> usize {
        let (Some(session), false) = (&mut self.client.session, self.made.is_empty()) else {
            return 0;
        };
        let id = self.made[self.random.below(self.made.len())];
        let Some(event) = session.poll(id) else { return 0 };
        self.model.check_event(id, event);
        1
    }

    fn hear_all(&mut self) -> usize {
        let mut heard = 0;
        let Some(session) = &mut self.client.session else { return heard };
        for id in &self.made {
            while let Some(event) = session.poll(*id) {
                self.model.check_event(*id, event);
                heard += 1;
            }
        }
        heard
    }
}

/// Mostly small, sometimes longer than a record, sometimes empty.
fn payload(random: &mut Random) -> Payload {
    let buffers = if random.one_in(3) { random.below(5) } else { 0 };
    let length = |random: &mut Random| {
        if random.one_in(20) { random.magnitude(17) } else { random.magnitude(7) }
    };
    let data = length(random);
    let data = random.bytes(data);
    let buffer = |_| {
        let bytes = length(random);
        let bytes = random.bytes(bytes);
        if random.one_in(2) { Buffer::Shared(Arc::new(Lent(bytes))) } else { bytes.into() }
    };
    Payload { data, buffers: (0..buffers).map(buffer).collect() }
}

fn failure(random: &mut Random) -> Failure {
    const CODES: [FailureCode; 6] = [
        FailureCode::Task,
        FailureCode::NotInitialized,
        FailureCode::Stopping,
        FailureCode::Serialization,
        FailureCode::Refused,
        FailureCode::Overloaded,
    ];
    let text = |random: &mut Random| format!("{:x}", random.word());
    Failure {
        code: CODES[random.below(CODES.len())],
        message: text(random),
        exception: random.one_in(2).then(|| text(random)),
        traceback: random.one_in(2).then(|| text(random)),
        object: random.one_in(2).then(|| random.bytes(20)),
    }
}

fn debug_request(random: &mut Random) -> DebugRequest {
    match random.below(3) {
        0 => DebugRequest::Stacks,
        1 => DebugRequest::Open { prompt: random.one_in(2) },
        _ => {
            let input = random.one_in(2).then(|| "state".into());
            DebugRequest::Console { session: random.word(), after: random.word(), input }
        }
    }
}

fn debug_reply(random: &mut Random) -> DebugReply {
    let (text, over) = (random.below(DEBUG_TEXT_BYTES_MAX / 2), random.one_in(2));
    match random.below(3) {
        0 => DebugReply::refused(format!("{:x}", random.word())),
        1 => DebugReply::Stacks { stacks: "x".repeat(text) },
        _ => {
            let (output, reads) = (random.bytes(text), over.then(|| ">>> ".into()));
            DebugReply::Console { output, after: random.word(), reads, over }
        }
    }
}

fn log_request(random: &mut Random) -> LogRequest {
    match random.below(4) {
        0 => LogRequest::Start,
        1 => LogRequest::LastLines(random.word()),
        2 => LogRequest::Since(random.word() as i64),
        _ => LogRequest::After(log_cursor(random)),
    }
}

fn log_reply(random: &mut Random) -> LogReply {
    if random.one_in(4) {
        return LogReply::Unreadable(format!("{:x}", random.word()));
    }
    let text = random.below(LOG_BYTES_MAX + 1);
    let (text, more) = (random.bytes(text), random.one_in(2));
    LogReply::Piece(LogPiece { text, after: log_cursor(random), more })
}

fn log_cursor(random: &mut Random) -> LogCursor {
    let length = random.below(LOG_CURSOR_BYTES_MAX + 1);
    LogCursor::new(random.bytes(length)).expect("it is short enough")
}

fn status(random: &mut Random) -> Status {
    const STATES: [State; 5] =
        [State::Starting, State::Uninitialized, State::Ready, State::Busy, State::Stopping];
    Status {
        state: STATES[random.below(STATES.len())],
        task: random.one_in(2).then(|| "exec_task".into()),
        busy_s: random.one_in(2).then(|| random.below(1000) as f64 / 8.0),
        queue: random.word(),
        calls: random.word(),
        clients: random.magnitude(20) as u64,
        uptime_s: random.magnitude(30) as f64 / 8.0,
        cpu_s: random.one_in(2).then(|| random.below(1000) as f64 / 8.0),
        pid: random.magnitude(22) as u64,
        rss_bytes: random.one_in(2).then(|| random.word()),
        name: random.one_in(2).then(|| "trainer".into()),
    }
}

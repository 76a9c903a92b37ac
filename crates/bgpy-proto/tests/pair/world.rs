//! Random schedules, each of them fixed by its seed.

use bgpy_proto::handshake::{ClientHandshake, ServerHandshake};
use bgpy_proto::{ClientHello, Outbox, Room, ServerHello};

use crate::link::{self, ClientEnd, Pipe, SUITES, ServerEnd};
use crate::model::Model;
use crate::random::Random;

const SEEDS: u64 = 6_000;

/// A client, a server, the bytes between them, and what they should make of them.
pub struct World {
    pub random: Random,
    pub client: ClientEnd,
    pub server: ServerEnd,
    pub client_hello: ClientHello,
    pub server_hello: ServerHello,
    pub up: Pipe,
    pub down: Pipe,
    /// Bytes that may still be read, on both sides together, before the connection is cut.
    pub left: usize,
    pub placed: bool,
    owning: bool,
    pub model: Model,
    /// Ids that the client has given out.
    pub made: Vec<u64>,
    /// Callbacks that the client has heard of and has not returned from.
    pub called: Vec<(u64, u32)>,
    /// Calls that the server knows, over or not.
    pub known: Vec<u64>,
    /// The last request that the server knows.
    pub asked: u64,
    pub seen: Seen,
}

/// How often something has happened. A schedule that does nothing would agree with every model.
#[derive(Debug, Default)]
pub struct Seen {
    pub requests: usize,
    pub events: usize,
    pub credits: usize,
    pub full: usize,
    pub progress: usize,
    pub returned: usize,
    pub interrupts: usize,
    pub aborts: usize,
    pub methods: usize,
    pub jobs: usize,
    pub heads: usize,
}

impl std::ops::AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        *self = Self {
            requests: self.requests + other.requests,
            events: self.events + other.events,
            credits: self.credits + other.credits,
            full: self.full + other.full,
            progress: self.progress + other.progress,
            returned: self.returned + other.returned,
            interrupts: self.interrupts + other.interrupts,
            aborts: self.aborts + other.aborts,
            methods: self.methods + other.methods,
            jobs: self.jobs + other.jobs,
            heads: self.heads + other.heads,
        };
    }
}

#[test]
fn every_call_hears_what_it_wants_and_no_more() {
    let mut seen = Seen::default();
    for seed in 0..SEEDS {
        let mut world = World::new(seed, usize::MAX);
        let steps = world.random.below(600);
        (0..steps).for_each(|_| world.step());
        world.settle();
        world.finish();
        world.model.check_complete();
        seen += world.seen;
    }
    let seeds = SEEDS as usize;
    assert!(seen.requests > 10 * seeds && seen.events > 10 * seeds, "{seen:?}");
    let rare = [seen.credits, seen.full, seen.progress, seen.returned, seen.interrupts];
    let rare = rare.into_iter().chain([seen.aborts, seen.methods, seen.jobs, seen.heads]);
    assert!(rare.min() > Some(seeds / 8), "{seen:?}");
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
        (0..steps).for_each(|_| world.step());
        refused += u64::from(world.part());
    }
    assert!(refused > SEEDS / 10, "only {refused} worlds had something to refuse");
}

impl World {
    fn new(seed: u64, left: usize) -> Self {
        let suite = SUITES[seed as usize % SUITES.len()];
        let psk = link::psk('w');
        let mut random = Random::new(seed);
        // Either side may know no more than bgpy 1.0, but for the goodbye.
        let knows = |random: &mut Random| !random.one_in(8);
        let client_hello = ClientHello { calls: knows(&mut random), ..link::client_hello() };
        let calls = knows(&mut random);
        let services = calls && knows(&mut random);
        let jobs = services && knows(&mut random);
        let server_hello = ServerHello { calls, services, jobs, ..link::server_hello() };
        let mut out = Outbox::default();
        let client = ClientHandshake::start(suite, &psk, &client_hello, &mut out);
        let server = ServerHandshake::new(psk, server_hello.clone(), true);
        let (owning, placed) = (random.one_in(2), random.one_in(2));
        Self {
            random,
            client: ClientEnd::new(client, out),
            server: ServerEnd::new(server, Outbox::default()),
            up: Pipe::default(),
            down: Pipe::default(),
            left,
            owning,
            placed,
            model: Model::new(client_hello.calls, server_hello.calls),
            client_hello,
            server_hello,
            made: Vec::new(),
            called: Vec::new(),
            known: Vec::new(),
            asked: 0,
            seen: Seen::default(),
        }
    }

    /// Lets one thing happen.
    fn step(&mut self) {
        match self.random.below(13) {
            0..=1 => self.client_writes(),
            2..=3 => self.server_writes(),
            4..=5 => self.server_reads(),
            6..=7 => self.client_reads(),
            8 => self.client_asks(),
            9..=10 => self.server_acts(),
            11 => self.client_returns(),
            _ => self.client_hears(),
        }
    }

    fn client_writes(&mut self) {
        self.client.write(&mut self.up, self.owning, &mut self.random);
    }

    fn server_writes(&mut self) {
        self.server.write(&mut self.down, self.owning, &mut self.random);
    }

    fn exchange(&mut self) {
        self.client_writes();
        self.server_writes();
        self.server_reads();
        self.client_reads();
    }

    fn is_quiet(&mut self) -> bool {
        let ready = self.client.session.is_some() && self.server.session.is_some();
        let quiet = self.client.is_quiet() && self.server.is_quiet();
        ready && quiet && self.up.is_empty() && self.down.is_empty()
    }

    /// Carries everything across, hears it and returns from every callback. Then no task waits for the
    /// client: each stream has room, and each callback has returned.
    fn settle(&mut self) {
        loop {
            self.exchange();
            self.hear_all();
            while !self.called.is_empty() {
                self.client_returns();
            }
            if self.is_quiet() {
                break;
            }
        }
        let session = self.server.session.as_mut().expect("both are ready");
        for call in &self.known {
            assert!(session.room(*call) != Room::Full, "the stream {call} waits for ever");
        }
        self.model.check_quiet(session.ahead());
    }

    /// Ends every call and carries everything across.
    fn finish(&mut self) {
        loop {
            self.exchange();
            for call in std::mem::take(&mut self.known) {
                self.end_or_fail(call);
            }
            if self.is_quiet() {
                break;
            }
        }
        self.hear_all();
        let session = self.server.session.as_ref().expect("both are ready");
        assert_eq!(session.ahead(), 0);
    }

    /// Lets the server end; returns whether the client was refused something.
    fn part(&mut self) -> bool {
        let (Some(server), true) = (&mut self.server.session, self.client.session.is_some()) else {
            return false;
        };
        server.say_goodbye();
        let refused = self.model.goodbye(self.asked);
        while !(self.server.is_quiet() && self.down.is_empty()) {
            self.server_writes();
            self.client_reads();
        }
        // Whether the server has read a ping is not known here.
        self.made.retain(|id| !self.model.is_ping(*id));
        self.hear_all();
        refused
    }
}

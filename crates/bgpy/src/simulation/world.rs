//! The scheduler: draws the next step from a seed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bgpy_proto::handshake::Suite;
use bgpy_proto::{CallKind, Psk, Token, Want, limits};

use super::ledger::Ledger;
use super::lineage::Lineage;
use super::random::Random;
use super::wire::{End, Wire};
use crate::client::simulated::{Around, Caller, Client, Ended, Wish};
use crate::clock::simulated::{self, peek};
use crate::error::{CallError, ConnectError, Lost};
use crate::server::simulated::Idle;
use crate::wait::Wait;

/// Steps after which a run counts as stuck.
const STEPS_MAX: usize = 60_000;

/// Delay that the scheduler itself may add to a wait by choosing other steps first.
const SLACK: Duration = Duration::from_secs(2);

/// Lines kept of the trace.
const TRACE_LINES: usize = 60;

pub(crate) struct World<'a> {
    random: Random,
    idle: &'a Idle,
    since: Instant,
    wires: Vec<Wire>,
    stalled: Vec<(Instant, Wire)>,
    lineage: Lineage,
    clients: Vec<Client>,
    /// Whether the last of them has another token.
    has_wrong_token: bool,
    callers: Vec<Calling>,
    unauthenticated: Vec<Wire>,
    recorded: Vec<Vec<u8>>,
    pub(crate) ledger: Ledger,
    /// Mishaps still to come.
    mishaps: usize,
    pub(crate) crashes: usize,
    pub(crate) cuts: usize,
    /// Calls still to be made.
    calls: usize,
    trace: Option<VecDeque<String>>,
}

/// A caller under way, with the numbers of its client and call.
struct Calling {
    client: usize,
    number: usize,
    caller: Caller,
    /// The number of deaths before the call.
    deaths: usize,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Deliver(usize, End),
    Poll,
    Execute,
    Supervise,
    Call(usize),
    Begin,
    Mishap,
}

/// A client's view of the world.
struct View<'a> {
    lineage: &'a Lineage,
    wires: &'a mut Vec<Wire>,
}

impl Around for View<'_> {
    fn pause(&self) -> Option<Duration> {
        self.lineage.pause()
    }

    fn comes_back(&self) -> bool {
        self.lineage.comes_back()
    }

    fn has_lost_process(&self) -> bool {
        !self.lineage.has_process()
    }

    fn dial(&mut self, is_own: bool) -> Option<Wire> {
        self.lineage.listens.then(|| {
            let wire = Wire::new(is_own);
            self.wires.push(wire.clone());
            let place = &self.lineage.place;
            (if is_own { &place.own } else { &place.open }).push(wire.clone());
            wire
        })
    }
}

impl<'a> World<'a> {
    pub(crate) fn new(seed: u64, idle: &'a Idle, is_traced: bool) -> Self {
        let since = Instant::now();
        simulated::set(Some(since));
        let mut random = Random::new(seed);
        let psk = |letter: &str| Token::new(letter.repeat(43)).psk();
        let lineage = Lineage::new(idle, psk("k"), &mut random);
        let count = 1 + random.below(4);
        let mut clients: Vec<_> = (0..count).map(|_| client(psk("k"), &mut random)).collect();
        let has_wrong_token = random.one_in(4);
        if has_wrong_token {
            // With a token given by its user, since that of the registry is always right.
            clients.push(Client { is_registered: false, ..client(psk("x"), &mut random) });
        }
        let mishaps = random.magnitude(6);
        let calls = 10 + random.magnitude(7);
        let trace = is_traced.then(VecDeque::new);
        Self {
            random,
            idle,
            since,
            wires: Vec::new(),
            stalled: Vec::new(),
            lineage,
            clients,
            has_wrong_token,
            callers: Vec::new(),
            unauthenticated: Vec::new(),
            recorded: Vec::new(),
            ledger: Ledger::default(),
            mishaps,
            crashes: 0,
            cuts: 0,
            calls,
            trace,
        }
    }

    /// Runs until every caller was told something and nothing is under way.
    pub(crate) fn run(&mut self) {
        self.lineage.is_unlucky = self.mishaps > 0;
        self.play(|world| world.calls == 0 && world.callers.is_empty());
        self.ledger.check_complete();
        self.heal();
        self.play(|world| !world.is_anything_under_way());
        self.check_alive();
        for client in &mut self.clients {
            if let Some(link) = client.current.take() {
                link.borrow_mut().lose(Lost::Dropped);
            }
        }
        self.unauthenticated.drain(..).for_each(|wire| wire.close(End::Client));
        self.play(|world| world.is_quiet());
        self.lineage.check_empty();
        assert!(self.wires.is_empty(), "{} connections are left", self.wires.len());
    }

    /// Ends all mishaps and their effects.
    fn heal(&mut self) {
        (self.mishaps, self.lineage.is_unlucky) = (0, false);
        self.stalled.drain(..).for_each(|(_, wire)| wire.cut());
    }

    /// Asserts that a running server answers, and that an ended one is not there.
    fn check_alive(&mut self) {
        let serves = self.lineage.serves();
        self.begin(0, CallKind::Exec, Want::First, None);
        let before = self.ledger.answered;
        self.play(|world| world.callers.is_empty());
        assert!(!serves || self.ledger.answered > before, "a server that is there does not answer");
    }

    fn play(&mut self, is_over: impl Fn(&Self) -> bool) {
        for _ in 0..STEPS_MAX {
            self.wires.retain(|wire| !wire.is_over());
            if is_over(self) {
                return;
            }
            let step = self.choose();
            self.take(step);
            self.check();
        }
        panic!("nothing comes to an end: {}", self.lineage.what());
    }

    fn is_anything_under_way(&self) -> bool {
        let mut ways =
            self.wires.iter().flat_map(|wire| [(wire, End::Client), (wire, End::Server)]);
        ways.any(|(wire, end)| wire.is_under_way(end))
    }

    fn is_quiet(&self) -> bool {
        self.wires.is_empty() && self.lineage.due(&self.wires).iter().all(Option::is_none)
    }

    /// The next step; if none is possible, time advances.
    fn choose(&mut self) -> Step {
        if self.mishaps > 0 && self.random.one_in(40) {
            return Step::Mishap;
        }
        if self.calls > 0 && self.callers.len() < 8 && self.random.one_in(20) {
            return Step::Begin;
        }
        loop {
            if self.random.one_in(4) {
                let micros = self.random.magnitude(11) as u64;
                self.pass(Duration::from_micros(micros));
            }
            let (steps, next) = self.possible();
            if !steps.is_empty() {
                return steps[self.random.below(steps.len())];
            }
            if self.calls > 0 && self.callers.len() < 8 {
                return Step::Begin;
            }
            let Some(next) = next else { panic!("nothing is left to happen") };
            self.pass(next.saturating_duration_since(peek()));
        }
    }

    fn pass(&mut self, time: Duration) {
        simulated::set(Some(peek() + time));
    }

    /// The steps possible now, and when there will be others.
    fn possible(&mut self) -> (Vec<Step>, Option<Instant>) {
        let now = peek();
        let (mut steps, mut next) = (Vec::new(), None::<Instant>);
        let mut at = |moment: Option<Instant>, step: Step, steps: &mut Vec<Step>| match moment {
            Some(moment) if moment <= now => steps.push(step),
            Some(moment) => next = Some(next.map_or(moment, |next| next.min(moment))),
            None => {}
        };
        let [poll, execute, supervise] = self.lineage.due(&self.wires);
        at(poll, Step::Poll, &mut steps);
        at(execute, Step::Execute, &mut steps);
        at(supervise, Step::Supervise, &mut steps);
        for (index, calling) in self.callers.iter().enumerate() {
            let moment = if calling.caller.is_ready() { now } else { calling.caller.wake };
            at(Some(moment), Step::Call(index), &mut steps);
        }
        for (until, wire) in &self.stalled {
            if *until <= now {
                wire.stall(false);
            }
            at(Some(*until).filter(|until| *until > now), Step::Poll, &mut steps);
        }
        self.stalled.retain(|(until, _)| *until > now);
        for (index, wire) in self.wires.iter().enumerate() {
            for end in [End::Client, End::Server] {
                if wire.is_under_way(end) {
                    steps.push(Step::Deliver(index, end));
                }
            }
        }
        (steps, next)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Deliver(index, end) => {
                let most = 1 + self.random.magnitude(18);
                self.wires[index].deliver(end, most);
                let narrow = 1 + self.random.magnitude(18);
                self.wires[index].narrow(end, narrow);
            }
            Step::Poll => self.lineage.poll(&self.wires),
            Step::Execute => self.lineage.execute(&mut self.ledger, &mut self.random),
            Step::Supervise => self.lineage.supervise(self.idle, &mut self.random),
            Step::Call(index) => self.call(index),
            Step::Begin => {
                if self.lineage.is_over() {
                    self.calls = self.calls.min(2);
                }
                let client = self.random.below(self.clients.len());
                self.calls -= 1;
                let kind = match self.random.below(300) {
                    0 => CallKind::Exit,
                    1..=15 => CallKind::Init,
                    _ => CallKind::Exec,
                };
                let want = [Want::Ack, Want::First, Want::First, Want::All][self.random.below(4)];
                let limit = self.random.one_in(3).then(|| self.random.magnitude(14) as u64 + 1);
                self.begin(client, kind, want, limit.map(Duration::from_millis));
            }
            Step::Mishap => self.mishap(),
        }
        self.note(|world| format!("{step:?}; {}", world.lineage.what()));
    }

    fn begin(&mut self, client: usize, kind: CallKind, want: Want, limit: Option<Duration>) {
        let number = self.ledger.len();
        let argument = self.ledger.wish(kind, want, &mut self.random);
        let wait = limit.map_or_else(Wait::forever, Wait::at_most);
        let wish = Wish { kind, want, argument };
        let caller = Caller::new(number, wish, wait);
        let deaths = self.lineage.deaths;
        self.callers.push(Calling { client, number, caller, deaths });
    }

    fn call(&mut self, index: usize) {
        let calling = &mut self.callers[index];
        let client = &mut self.clients[calling.client];
        let mut view = View { lineage: &self.lineage, wires: &mut self.wires };
        if self.random.one_in(8)
            && let Some(wire) = view.wires.last()
        {
            self.recorded.push(wire.recorded());
        }
        let Some(ended) = calling.caller.step(client, &mut view) else { return };
        let Calling { client, number, caller, deaths } = self.callers.swap_remove(index);
        check_time(&caller);
        let is_wrong = self.has_wrong_token && client + 1 == self.clients.len();
        check_sense(is_wrong, self.lineage.deaths - deaths, &ended);
        let told = self.ledger.ended(number, &ended);
        self.note(|_| format!("{number} is told {told:?}: {}", short(&ended)));
    }

    /// Causes a mishap.
    fn mishap(&mut self) {
        self.mishaps -= 1;
        let wire = (!self.wires.is_empty()).then(|| self.random.below(self.wires.len()));
        match (self.random.below(12), wire) {
            (0..=2, _) => self.crash(),
            (3, _) if self.random.one_in(12) => self.lineage.stop(),
            (4..=5, Some(wire)) => {
                self.cuts += 1;
                self.wires[wire].cut();
            }
            (6..=8, Some(wire)) => {
                let time = Duration::from_millis(self.random.magnitude(17) as u64);
                self.wires[wire].stall(true);
                self.stalled.push((peek() + time, self.wires[wire].clone()));
            }
            _ => self.connect_unauthenticated(),
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        // Bytes that the process had not read cause a reset, and what it had written may still
        // arrive.
        let is_reset = self.random.one_in(2);
        for wire in &self.wires {
            if is_reset && wire.watched().is_some() {
                wire.cut();
            }
        }
        self.lineage.crash(&mut self.random);
    }

    /// A connection by a client without the token.
    fn connect_unauthenticated(&mut self) {
        let mut view = View { lineage: &self.lineage, wires: &mut self.wires };
        let Some(wire) = view.dial(self.random.one_in(2)) else { return };
        let recorded = self.recorded.len();
        let bytes = match self.random.below(4) {
            0 => Vec::new(),
            1 if recorded > 0 => self.recorded[self.random.below(recorded)].clone(),
            2 => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            _ => {
                let length = self.random.magnitude(11);
                [b"bgpy\x01\x01\0\0".to_vec(), self.random.bytes(length)].concat()
            }
        };
        drop(wire.write(End::Client, &[std::io::IoSlice::new(&bytes)]));
        if self.random.one_in(2) {
            wire.close(End::Client);
        } else {
            self.unauthenticated.push(wire);
        }
    }

    fn check(&mut self) {
        self.lineage.check();
        let now = peek();
        let silence = Duration::from_millis(limits::SILENCE_MS);
        for Calling { number, caller, .. } in &self.callers {
            check_time(caller);
            if let Some(heard) = caller.last_heard() {
                let silent = now.saturating_duration_since(heard);
                assert!(silent <= silence + SLACK, "call {number} waits in silence for {silent:?}");
            }
        }
    }

    fn note(&mut self, what: impl FnOnce(&Self) -> String) {
        if self.trace.is_none() {
            return;
        }
        let at = peek().duration_since(self.since).as_secs_f64();
        let line = format!("{at:10.6} {}", what(self));
        let trace = self.trace.as_mut().expect("it is traced");
        trace.push_back(line);
        if trace.len() > TRACE_LINES {
            trace.pop_front();
        }
    }

    /// The last lines of the trace.
    pub(crate) fn trace(&self) -> String {
        self.trace.iter().flatten().map(|line| format!("{line}\n")).collect()
    }
}

fn client(psk: Psk, random: &mut Random) -> Client {
    let is_own = random.one_in(2);
    let sealed = [Suite::AesGcm, Suite::ChaChaPoly][random.below(2)];
    let suite = if is_own { Suite::Clear } else { sealed };
    Client { is_own, suite, is_registered: random.one_in(2), psk, current: None }
}

/// Asserts that no wait is longer than its limit.
fn check_time(caller: &Caller) {
    let waited = peek().saturating_duration_since(caller.wait.since());
    if let Some(limit) = caller.wait.limit() {
        assert!(waited <= limit + SLACK, "a caller waits {waited:?} instead of {limit:?}");
    }
}

/// Asserts that a client with the right token is never told that it is wrong, and that a client
/// with another token is told nothing else by a server that hears it. Exception: if processes died
/// during three of its handshakes and one answered meanwhile, it cannot tell that from a refusal.
fn check_sense(is_wrong: bool, deaths: usize, ended: &Ended) {
    let Ended::Badly(CallError::Connect(error)) = ended else {
        assert!(!is_wrong, "a server has heard a client with another token: {ended:?}");
        return;
    };
    let is_told = matches!(error, ConnectError::Auth { .. } | ConnectError::NoToken { .. });
    assert!(is_wrong || !is_told || deaths >= 3, "the token is right: {error}");
}

fn short(ended: &Ended) -> String {
    match ended {
        Ended::Well(responses) => format!("{} responses", responses.len()),
        Ended::NoResponse => "no response".into(),
        Ended::Badly(error) => error.to_string(),
    }
}

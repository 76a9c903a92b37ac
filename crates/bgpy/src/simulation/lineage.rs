//! Successive processes of one server, and the supervisor that restarts them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bgpy_proto::{CallKind, Psk};

use super::ledger::Ledger;
use super::random::Random;
use super::wire::Wire;
use crate::clock::simulated::peek;
use crate::restart::{ProcessEnd, Restart, Schedule, Times};
use crate::server::simulated::{Binding, Idle, Process};

pub(crate) struct Lineage {
    psk: Psk,
    policy: Restart,
    schedule: Schedule,
    pub(crate) place: Binding,
    state: State,
    generation: u64,
    /// Whether the next process has tasks: from a file, or from a client.
    has_tasks: bool,
    has_been_ready: bool,
    was_told: bool,
    /// Whether anything listens: the process, or the supervisor in its place.
    pub(crate) listens: bool,
    /// Whether starts fail now and then.
    pub(crate) is_unlucky: bool,
    /// Number of processes that have ended.
    pub(crate) deaths: usize,
}

enum State {
    Up(Box<Up>),
    Pausing { until: Instant, is_told: bool },
    Over,
}

struct Up {
    process: Process,
    /// Until when it starts, and whether that fails.
    starts: Option<(Instant, bool)>,
    ready: Option<Instant>,
    task: Option<Task>,
    /// When the process of an ended server is gone.
    gone: Option<Instant>,
}

/// The next step of a task, and its time.
struct Task {
    argument: Vec<u8>,
    kind: CallKind,
    deeds: VecDeque<(Instant, Deed)>,
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Effect,
    Respond(u64),
    Over { succeeded: bool },
}

impl Lineage {
    pub(crate) fn new(idle: &Idle, psk: Psk, random: &mut Random) -> Self {
        let policy = match random.below(8) {
            0 => Restart::Never,
            1 => Restart::OnFailure { least: 1 },
            _ => Restart::ON_FAILURE,
        };
        let mut lineage = Self {
            psk,
            policy,
            schedule: Schedule::new(policy, Times::default()),
            place: Binding::default(),
            state: State::Over,
            generation: 0,
            has_tasks: !random.one_in(4),
            has_been_ready: false,
            was_told: false,
            listens: true,
            is_unlucky: false,
            deaths: 0,
        };
        lineage.start(idle, random);
        lineage
    }

    fn start(&mut self, idle: &Idle, random: &mut Random) {
        let read = 1 << (8 + random.below(9));
        let process = Process::start(idle, &self.place, &self.psk, self.generation, read);
        let until = peek() + Duration::from_millis(random.magnitude(11) as u64);
        let fails = self.is_unlucky && random.one_in(3);
        let (ready, task, gone) = (None, None, None);
        let up = Up { process, starts: Some((until, fails)), ready, task, gone };
        self.state = State::Up(Box::new(up));
    }

    /// The times of the next events: for the poller, for the executing thread, for the supervisor.
    pub(crate) fn due(&self, wires: &[Wire]) -> [Option<Instant>; 3] {
        match &self.state {
            State::Over => [None; 3],
            State::Pausing { until, .. } => [None, None, Some(*until)],
            State::Up(up) => {
                let now = peek();
                let deed = up.task.as_ref().and_then(|task| task.deeds.front()).map(|deed| deed.0);
                let executing = deed.or(up.process.has_work().then_some(now));
                let start = up.starts.map(|(until, _)| until);
                let end = up.process.leaves().or(up.gone);
                [up.process.due(wires), executing, start.or(end)]
            }
        }
    }

    /// The poller reports.
    pub(crate) fn poll(&mut self, wires: &[Wire]) {
        let State::Up(up) = &mut self.state else { return };
        up.process.poll(wires);
        self.note_retirement();
    }

    /// A server that retires releases its listeners first.
    fn note_retirement(&mut self) {
        let State::Up(up) = &self.state else { return };
        if up.process.is_retired() && self.listens {
            self.vacate();
        }
    }

    fn vacate(&mut self) {
        self.listens = false;
        for queue in [&self.place.own, &self.place.open] {
            while let Some(wire) = queue.pop() {
                wire.close(super::wire::End::Server);
            }
        }
    }

    /// The executing thread does a step.
    pub(crate) fn execute(&mut self, ledger: &mut Ledger, random: &mut Random) {
        let State::Up(up) = &mut self.state else { return };
        let Some(task) = &mut up.task else {
            let begun = up.process.next();
            up.task = begun.map(|begun| Task::new(begun.kind, begun.argument, random));
            return self.note_retirement();
        };
        let Some((_, deed)) = task.deeds.pop_front() else { return };
        match deed {
            Deed::Effect => ledger.effect(&task.argument),
            Deed::Respond(seq) => {
                let data = Ledger::response(&task.argument, seq, random);
                up.process.respond(data).expect("it is short");
            }
            Deed::Over { succeeded } => {
                self.has_tasks |= task.kind == CallKind::Init && succeeded;
                up.process.over(succeeded);
                up.task = None;
            }
        }
    }

    /// The supervisor does a step, or a start or an end completes.
    pub(crate) fn supervise(&mut self, idle: &Idle, random: &mut Random) {
        match &mut self.state {
            State::Over => {}
            State::Pausing { .. } => {
                self.generation += 1;
                self.start(idle, random);
            }
            State::Up(up) => match up.starts.take() {
                Some((_, true)) => self.ended(false, random),
                Some((_, false)) => {
                    up.process.started(self.has_tasks);
                    up.ready = Some(peek());
                    self.has_been_ready = true;
                }
                None => {
                    if up.process.leaves().is_some() {
                        up.process.leave();
                    }
                    self.ended(true, random);
                }
            },
        }
    }

    /// The process is gone, whatever it was doing; the supervisor notices.
    fn ended(&mut self, succeeded: bool, random: &mut Random) {
        let State::Up(up) = std::mem::replace(&mut self.state, State::Over) else { return };
        self.deaths += 1;
        let end = ProcessEnd {
            succeeded,
            was_retiring: up.process.is_retired(),
            was_told: self.was_told,
            has_been_ready: self.has_been_ready,
        };
        let now = peek();
        let took_calls_for = up.ready.map(|since| now.saturating_duration_since(since));
        drop(up);
        if self.policy == Restart::Never || !end.is_failure() {
            return self.vacate();
        }
        let Some(pause) = self.schedule.failed(now, took_calls_for) else {
            return self.vacate();
        };
        // It takes a moment to notice the end, and another to start an interpreter.
        let moment = Duration::from_millis(random.magnitude(5) as u64);
        self.state = State::Pausing { until: now + pause + moment, is_told: !pause.is_zero() };
    }

    /// Kills the process.
    pub(crate) fn crash(&mut self, random: &mut Random) {
        if matches!(self.state, State::Up(_)) {
            self.ended(false, random);
        }
    }

    /// Tells the server to end.
    pub(crate) fn stop(&mut self) {
        self.was_told = true;
        match &mut self.state {
            State::Up(up) if up.starts.is_none() => {
                up.process.stop();
                self.note_retirement();
            }
            State::Pausing { .. } => {
                self.state = State::Over;
                self.vacate();
            }
            State::Up(_) | State::Over => {}
        }
    }

    /// How long until the next start, according to the registry.
    pub(crate) fn pause(&self) -> Option<Duration> {
        match self.state {
            State::Pausing { until, is_told: true } => {
                Some(until.saturating_duration_since(peek())).filter(|left| !left.is_zero())
            }
            _ => None,
        }
    }

    /// Whether the registry says that it is restarted after a failure.
    pub(crate) fn comes_back(&self) -> bool {
        self.policy != Restart::Never && self.listens
    }

    pub(crate) fn has_process(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// Whether a call that arrives now would run.
    pub(crate) fn serves(&self) -> bool {
        let State::Up(up) = &self.state else { return false };
        up.starts.is_none() && up.process.takes_calls()
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    pub(crate) fn check(&self) {
        if let State::Up(up) = &self.state {
            up.process.check();
        }
    }

    /// Asserts that nothing is left of clients that are gone.
    pub(crate) fn check_empty(&self) {
        assert_eq!(self.place.own.len() + self.place.open.len(), 0, "a connection still waits");
        if let State::Up(up) = &self.state {
            assert!(up.task.is_none(), "a task still runs");
            up.process.check_empty();
        }
    }

    pub(crate) fn what(&self) -> String {
        match &self.state {
            State::Up(up) if up.starts.is_some() => {
                format!("generation {} starts", self.generation)
            }
            State::Up(up) => {
                let task = up.task.as_ref().map(|task| task.kind);
                format!("up, runs {task:?}, {} accepted", up.process.accepted())
            }
            State::Pausing { .. } => "pausing".into(),
            State::Over => "over".into(),
        }
    }
}

impl Task {
    fn new(kind: CallKind, argument: Vec<u8>, random: &mut Random) -> Self {
        let mut at = peek();
        let mut later = |random: &mut Random| {
            // Most tasks are short; a few take longer than a client tolerates silence.
            let micros =
                if random.one_in(40) { random.magnitude(26) } else { random.magnitude(12) };
            at += Duration::from_micros(micros as u64);
            at
        };
        let mut deeds = VecDeque::from([(later(random), Deed::Effect)]);
        let responses = if random.one_in(3) { random.below(4) } else { 1 };
        deeds.extend((0..responses as u64).map(|seq| (later(random), Deed::Respond(seq))));
        deeds.push_back((later(random), Deed::Over { succeeded: !random.one_in(12) }));
        Self { argument, kind, deeds }
    }
}

//! A server's process in the simulation: the real connections and calls, without the threads.
//!
//! The driver decides when the poller reports, when a task proceeds, and when the process dies.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bgpy_proto::{CallKind, Failure, FailureCode, Id, ProtocolError, Psk, ServerHello, limits};
use mio::Poll;

use super::admission::cancelled;
use super::calls::Called;
use super::core::{Core, CoreParts, Next};
use super::lifecycle::{Due, expired, not_initialized};
use super::reactor::run::FAREWELL;
use super::reactor::signal::{Receiver, Waker};
use super::reactor::standin::LOOK;
use super::reactor::turn::PollEvent;
use super::registration::Registration;
use crate::clock;
use crate::log::Log;
use crate::platform::{Private, Stamp};
use crate::registry::Entry;
use crate::simulation::wire::{End, Queue, ServerQueue, Wire};
use crate::transport::Listener;

/// Shared by all servers of a thread, because none of them waits with it: a poller that watches
/// nothing.
pub(crate) struct Idle {
    poll: Poll,
    waker: std::sync::Arc<Waker>,
    _receiver: Receiver,
    entry: Entry,
}

/// Where a server listens: the socket of its own user, and the one for everybody.
#[derive(Debug, Default, Clone)]
pub(crate) struct Binding {
    pub(crate) own: Queue,
    pub(crate) open: Queue,
}

pub(crate) struct Process {
    core: Core,
    scratch: Vec<u8>,
    binding: Binding,
    running: Option<(Called, Instant)>,
    is_stood_in: bool,
    is_started: bool,
    leaves_until: Option<Instant>,
    /// When the poller returns at the latest.
    wakes: Option<Instant>,
    /// The last call of each connection that had its turn.
    last: HashMap<usize, u64>,
}

/// A call whose task has started.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) kind: CallKind,
    pub(crate) argument: Vec<u8>,
}

impl Idle {
    pub(crate) fn new() -> Self {
        let poll = Poll::new().expect("there is a descriptor");
        let (waker, receiver) =
            Receiver::new(poll.registry(), mio::Token(0)).expect("there are descriptors");
        let entry = Entry::new(Id([9; 16]), "simulated", ([127, 0, 0, 1], 1).into());
        Self { poll, waker, _receiver: receiver, entry }
    }
}

impl Process {
    pub(crate) fn start(
        idle: &Idle,
        binding: &Binding,
        psk: &Psk,
        generation: u64,
        read: usize,
    ) -> Self {
        let poll_registry =
            Private::open(|| idle.poll.registry().try_clone()).expect("a descriptor");
        let listens = |queue: &Queue, is_own| {
            Private::new(Listener::Simulated(ServerQueue { queue: queue.clone(), is_own }))
        };
        let registration =
            Registration::new(None, idle.entry.clone(), None, Stamp::default(), None, None);
        let hello = ServerHello { generation, instance: Id([9; 16]), ..ServerHello::default() };
        let parts = CoreParts {
            poll_registry,
            listeners: vec![listens(&binding.open, false), listens(&binding.own, true)],
            psk: psk.clone(),
            is_open: false,
            hello,
            log: Log::silent(),
            registration,
            idle_timeout: None,
            threads: 1,
        };
        let core = Core::new(parts, idle.waker.clone()).expect("nothing is registered");
        let scratch = vec![0; read];
        let binding = binding.clone();
        let (running, leaves_until, wakes) = (None, None, Some(clock::now()));
        let (is_stood_in, is_started) = (false, false);
        Self {
            core,
            scratch,
            binding,
            running,
            is_stood_in,
            is_started,
            leaves_until,
            wakes,
            last: HashMap::new(),
        }
    }

    /// Ends the start: the server has its tasks, or waits for an INIT.
    pub(crate) fn started(&mut self, initialized: bool) {
        self.core.started(initialized);
        self.is_started = true;
    }

    /// Whether a thread polls now: the executing thread if it is free, or the stand-in if a task
    /// has run for a while.
    fn may_poll(&self) -> bool {
        match &self.running {
            Some((_, since)) => clock::simulated::peek() >= *since + LOOK,
            None if self.leaves_until.is_some() => true,
            None => !self.is_started || self.is_stood_in || !self.core.has_work(),
        }
    }

    /// When the poller has something to report or a deadline expires; `None` if neither is ahead.
    pub(crate) fn due(&self, wires: &[Wire]) -> Option<Instant> {
        let now = clock::simulated::peek();
        let is_called =
            !self.core.is_retired && self.binding.own.len() + self.binding.open.len() > 0;
        let is_news = is_called
            || wires.iter().any(|wire| wire.watched().is_some() && wire.has_news(End::Server));
        let at = if is_news { now } else { self.wakes? };
        match &self.running {
            Some((_, since)) => Some(at.max(*since + LOOK)),
            None => Some(at),
        }
        .filter(|at| *at > now || self.may_poll())
    }

    /// Makes the poller report all events, and does one turn of work.
    pub(crate) fn poll(&mut self, wires: &[Wire]) {
        if (self.running.is_some() || !self.is_started) && !self.is_stood_in {
            self.is_stood_in = true;
            self.core.ack_all(LOOK);
        }
        let waiting = [&self.binding.open, &self.binding.own].map(Queue::len);
        for (token, _) in waiting.into_iter().enumerate().filter(|(_, waiting)| *waiting > 0) {
            self.report(token, false, false);
        }
        for wire in wires {
            let Some((token, wants_room)) = wire.watched() else { continue };
            if !wire.has_news(End::Server) {
                continue;
            }
            let (_, has_room) = wire.poll(End::Server);
            self.report(token, wire.has_ended(End::Server), has_room && wants_room);
        }
        self.core.proceed(&mut self.scratch).expect("listeners are not lost");
        self.wakes = self.core.poll_timeout().map(|timeout| clock::now() + timeout);
    }

    /// Wakes the leader if there is work that it does not know of.
    fn wake(&mut self) {
        if self.core.poll_timeout() == Some(Duration::ZERO) {
            self.wakes = Some(clock::now());
        }
    }

    fn report(&mut self, token: usize, is_read_closed: bool, is_writable: bool) {
        self.core.ready(PollEvent { token, is_read_closed, is_writable });
    }

    /// Whether the executing thread could take a call.
    pub(crate) fn is_free(&self) -> bool {
        self.is_started && self.running.is_none() && self.leaves_until.is_none()
    }

    /// Whether there is a call to take, or the server is to end.
    pub(crate) fn has_work(&self) -> bool {
        self.is_free() && (self.core.has_work() || self.is_stood_in)
    }

    /// Takes the next call whose task is to run. Calls that have no task to run are answered.
    pub(crate) fn next(&mut self) -> Option<Begun> {
        loop {
            if self.core.lifecycle.is_stopping() {
                self.core.retire();
                self.leaves_until = Some(clock::now() + FAREWELL);
                return None;
            }
            let Some(Next::Execute(call, due)) = self.core.next_call() else {
                // The executing thread polls for itself again.
                self.core.acks_at_once = false;
                self.is_stood_in = false;
                return None;
            };
            let last = self.last.insert(call.connection, call.id).unwrap_or_default();
            assert!(last < call.id, "calls of a connection have their turns in its order");
            let called = Called::of(&call);
            let outcome = match due {
                Due::Task => {
                    self.running = Some((called, clock::now()));
                    let argument = call.message.data().to_vec();
                    return Some(Begun { kind: call.kind, argument });
                }
                Due::Nothing { already } => Ok(already),
                Due::Refusal => Err(not_initialized()),
                Due::Expired => Err(expired()),
                Due::Gone => Err(cancelled()),
            };
            self.core.over(&called, &outcome);
            self.wake();
        }
    }

    /// Responds for the running task; returns whether its caller still waits.
    pub(crate) fn respond(&mut self, data: Vec<u8>) -> Result<bool, ProtocolError> {
        let (called, _) = self.running.as_ref().expect("a task runs");
        let id = called.id;
        let taken = self.core.respond(called.connection, id, data.into(), |session, payload| {
            session.respond(id, payload, false)
        });
        self.wake();
        taken
    }

    /// Ends the running task.
    pub(crate) fn over(&mut self, succeeded: bool) {
        let (called, _) = self.running.take().expect("a task runs");
        let failure = || Failure::new(FailureCode::Task, "it raised");
        let outcome = if succeeded { Ok(false) } else { Err(failure()) };
        self.core.over(&called, &outcome);
        self.wake();
    }

    /// Whether an EXIT or a stop has retired the server.
    pub(crate) fn is_retired(&self) -> bool {
        self.core.is_retired
    }

    /// Whether it accepts calls and has tasks for them.
    pub(crate) fn takes_calls(&self) -> bool {
        self.core.lifecycle.is_initialized() && !self.core.lifecycle.is_ending()
    }

    /// Rejects new calls and answers the queued ones.
    pub(crate) fn stop(&mut self) {
        self.core.stop();
        self.wakes = Some(clock::now());
    }

    /// Until when an ending server waits for clients to read their last answers; it ends sooner if
    /// they have.
    pub(crate) fn leaves(&self) -> Option<Instant> {
        let until = self.leaves_until?;
        Some(if self.core.has_backlog() { until } else { clock::simulated::peek() })
    }

    /// Closes its connections, before it exits.
    pub(crate) fn leave(&mut self) {
        self.core.leave();
    }

    /// Asserts that everything it holds is accounted for and within its limits.
    pub(crate) fn check(&self) {
        self.core.calls.check_counts();
        for connection in self.core.connections.values() {
            assert!(!connection.is_stuck(), "{} bytes wait", connection.backlog());
        }
        assert!(self.core.pending.len() <= 2 * limits::HANDSHAKES_MAX);
        let sessions = self.core.connections.values().filter(|it| it.is_session()).count();
        assert_eq!(sessions as u64, self.core.reporter.clients, "clients are counted");
        assert_eq!(self.core.connections.len() - sessions, self.core.pending.len(), "pending");
    }

    /// Asserts that nothing is left of clients that are gone.
    pub(crate) fn check_empty(&self) {
        assert!(self.core.connections.is_empty(), "connections are left");
        assert_eq!(self.core.pending.len(), 0);
        assert!(self.core.pending.wait().is_none(), "a closed connection waits for a turn");
        assert!(self.running.is_some() || !self.core.calls.has_waiting(), "calls are left");
        self.core.calls.check_empty();
    }

    /// The number of accepted calls that are not over.
    pub(crate) fn accepted(&self) -> usize {
        self.core.calls.accepted().count()
    }
}

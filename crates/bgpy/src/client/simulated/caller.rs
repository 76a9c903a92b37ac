//! A caller: from looking for the server to the end of its call, step by step.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use bgpy_proto::handshake::Suite;
use bgpy_proto::{CallKind, ClientHello, Id, Psk, Want};

use super::around::Around;
use super::handshake::{last, receive, send, timeout};
use super::lookup::Simulated;
use super::{Ended, Link, Pending, Shared, lost_error, server};
use crate::client::greeting::{self, Greeting, Key};
use crate::client::proof::Proof;
use crate::client::restart_wait::{POLL_EVERY, has_tasks, may_go_elsewhere};
use crate::client::route::Route;
use crate::client::search::{self, Search};
use crate::clock;
use crate::error::{CallError, ConnectError, Lost};
use crate::simulation::wire::{End, Wire};
use crate::wait::Wait;

/// State shared by the callers of one client.
#[derive(Debug)]
pub(crate) struct Client {
    /// Whether it connects by the server's Unix socket.
    pub(crate) is_own: bool,
    pub(crate) suite: Suite,
    /// Whether the token is from the server's entry, and not from the user.
    pub(crate) is_registered: bool,
    pub(crate) psk: Psk,
    pub(crate) current: Option<Shared>,
}

impl Client {
    fn greeting(&self) -> Greeting {
        let key = Key {
            psk: self.psk.clone(),
            proof: Proof::None,
            has_token: true,
            is_registered: self.is_registered,
            is_open: false,
            was_proven: false,
            is_known: self.is_registered,
        };
        let hello = ClientHello { client: Id([7; 16]), ..ClientHello::default() };
        Greeting::new(server(), self.suite, key, hello, None)
    }

    /// Makes a connection this client's own, unless another caller was faster.
    fn adopt(&mut self, link: Link) -> Shared {
        let link = Rc::new(RefCell::new(link));
        match self.current.take().filter(|current| current.borrow_mut().is_usable()) {
            Some(current) => {
                link.borrow_mut().lose(Lost::Dropped);
                self.current.insert(current).clone()
            }
            None => self.current.insert(link).clone(),
        }
    }
}

/// What a caller wants.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) kind: CallKind,
    pub(crate) want: Want,
    pub(crate) argument: Vec<u8>,
}

#[derive(Debug)]
enum Stage {
    /// Looks for a connection of its client.
    Look,
    /// Looks for the server.
    Search(Box<Search>),
    /// Sleeps, then goes on.
    Sleep {
        until: Instant,
        then: Box<Stage>,
    },
    /// Shakes hands with the server.
    Greet {
        search: Box<Search>,
        route: Route,
        greeting: Box<Greeting>,
        wires: Vec<Wire>,
    },
    /// Waits until a restarted server has its tasks.
    Start {
        link: Shared,
        status: Option<u64>,
        again: Instant,
    },
    Submit {
        link: Shared,
    },
    Await {
        link: Shared,
        call: Pending,
    },
}

pub(crate) struct Caller {
    number: usize,
    wish: Wish,
    pub(crate) wait: Wait<'static>,
    stage: Stage,
    /// When it checks again at the latest.
    pub(crate) wake: Instant,
    seen: u64,
}

impl Caller {
    pub(crate) fn new(number: usize, wish: Wish, wait: Wait<'static>) -> Self {
        Self { number, wish, wait, stage: Stage::Look, wake: clock::now(), seen: 0 }
    }

    /// Whether something that it waits for has happened.
    pub(crate) fn is_ready(&self) -> bool {
        let link = match &self.stage {
            Stage::Greet { wires, .. } => {
                return wires.last().is_some_and(|wire| wire.has_news(End::Client));
            }
            Stage::Start { link, .. } | Stage::Submit { link } | Stage::Await { link, .. } => link,
            Stage::Look | Stage::Search(_) | Stage::Sleep { .. } => return false,
        };
        let link = link.borrow();
        link.version != self.seen || link.wire.has_news(End::Client)
    }

    /// When it last heard something, if it waits for an answer.
    pub(crate) fn last_heard(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Await { link, .. } => Some(link.borrow().last_heard().max(self.wait.since())),
            _ => None,
        }
    }

    /// The connection that it still uses.
    pub(crate) fn link(&self) -> Option<&Shared> {
        match &self.stage {
            Stage::Start { link, .. } | Stage::Submit { link } | Stage::Await { link, .. } => {
                Some(link)
            }
            _ => None,
        }
    }

    /// Does everything possible now; returns how the call has ended, if it has.
    pub(crate) fn step(&mut self, client: &mut Client, around: &mut dyn Around) -> Option<Ended> {
        loop {
            match self.proceed(client, around) {
                Ok(true) => {}
                Ok(false) => {
                    self.seen = self.link().map_or(0, |link| link.borrow().version);
                    return None;
                }
                Err(ended) => return Some(ended),
            }
        }
    }

    /// Does one step; `false` if it has to wait.
    fn proceed(&mut self, client: &mut Client, around: &mut dyn Around) -> Result<bool, Ended> {
        match std::mem::replace(&mut self.stage, Stage::Look) {
            Stage::Look => Ok(self.look(client)),
            Stage::Search(search) => self.search(client, around, search),
            Stage::Sleep { until, then } => {
                if clock::simulated::peek() < until {
                    self.wake = until;
                    self.stage = Stage::Sleep { until, then };
                    return Ok(false);
                }
                self.stage = *then;
                Ok(true)
            }
            Stage::Greet { search, route, greeting, wires } => {
                self.greet(client, around, search, route, greeting, wires)
            }
            Stage::Start { link, status, again } => self.start(client, link, status, again),
            Stage::Submit { link } => self.submit(link),
            Stage::Await { link, call } => self.await_end(link, call),
        }
    }

    fn look(&mut self, client: &mut Client) -> bool {
        if let Some(link) = client.current.clone().filter(|link| link.borrow_mut().is_usable()) {
            return self.begin(link);
        }
        self.stage = Stage::Search(Box::new(Search::new(server())));
        true
    }

    /// Does what the search decides.
    fn search(
        &mut self,
        client: &Client,
        around: &dyn Around,
        mut search: Box<Search>,
    ) -> Result<bool, Ended> {
        let action = search.next(&Simulated { around }, &self.wait);
        self.stage = match action.map_err(|error| Ended::Badly(error.into()))? {
            search::Action::Pause(pause) => {
                Stage::Sleep { until: clock::now() + pause, then: Box::new(Stage::Search(search)) }
            }
            search::Action::Greet(route) => {
                let greeting = Box::new(client.greeting());
                Stage::Greet { search, route, greeting, wires: Vec::new() }
            }
        };
        Ok(true)
    }

    /// Does what the greeting decides.
    fn greet(
        &mut self,
        client: &mut Client,
        around: &mut dyn Around,
        mut search: Box<Search>,
        route: Route,
        mut greeting: Box<Greeting>,
        mut wires: Vec<Wire>,
    ) -> Result<bool, Ended> {
        let action = greeting.next();
        let left = self.wait.left_to_connect(search.since());
        let mut sleeps = None;
        let done = match action {
            greeting::Action::Dial => {
                let wire = around.dial(client.is_own);
                let is_there = wire.is_some();
                wires.extend(wire);
                greeting.dialled(is_there)
            }
            greeting::Action::Send => send(last(&wires), &mut greeting),
            greeting::Action::Receive { until } => match receive(last(&wires), &mut greeting) {
                Some(done) => done,
                None if until.is_some_and(|until| until <= clock::simulated::peek()) => {
                    greeting.late()
                }
                None if left.is_none() => Err(timeout()),
                None => {
                    let end = clock::now() + left.unwrap_or_default();
                    self.wake = until.map_or(end, |until| until.min(end));
                    self.stage = Stage::Greet { search, route, greeting, wires };
                    return Ok(false);
                }
            },
            greeting::Action::Pause(pause) => match left {
                Some(left) => {
                    sleeps = Some(clock::now() + pause.min(left));
                    Ok(())
                }
                None => Err(timeout()),
            },
            greeting::Action::Done(session) => {
                let link = Link::new(wires.pop().expect("it is connected"), *session);
                return Ok(self.begin(client.adopt(link)));
            }
            greeting::Action::Absent => {
                search.failed(&route, None);
                self.stage = Stage::Search(search);
                return Ok(true);
            }
        };
        self.stage = match done.map_err(|error| greeting.explain(error)) {
            Ok(()) => {
                wires.drain(greeting.connections()..).for_each(|wire| wire.close(End::Client));
                let greet = Stage::Greet { search, route, greeting, wires };
                match sleeps {
                    Some(until) => Stage::Sleep { until, then: Box::new(greet) },
                    None => greet,
                }
            }
            Err(error) => {
                wires.iter().for_each(|wire| wire.close(End::Client));
                search.failed(&route, Some(error));
                Stage::Search(search)
            }
        };
        Ok(true)
    }

    fn restarting(&self) -> Ended {
        let after = self.wait.limit().unwrap_or_default();
        Ended::Badly(ConnectError::Restarting { server: server(), after, failing: None }.into())
    }

    /// Continues with a connection.
    fn begin(&mut self, link: Shared) -> bool {
        // An EXIT can be sent to a server that is still starting.
        let is_ready = link.borrow().has_started() || self.wish.kind == CallKind::Exit;
        let again = clock::now();
        self.stage = if is_ready {
            Stage::Submit { link }
        } else {
            Stage::Start { link, status: None, again }
        };
        true
    }

    fn start(
        &mut self,
        client: &mut Client,
        link: Shared,
        status: Option<u64>,
        again: Instant,
    ) -> Result<bool, Ended> {
        let mut borrowed = link.borrow_mut();
        borrowed.turn();
        let answered = status.and_then(|id| borrowed.status(id));
        if borrowed.has_started() || answered.as_ref().is_some_and(has_tasks) {
            borrowed.note_started();
            drop(borrowed);
            self.stage = Stage::Submit { link };
            return Ok(true);
        }
        if let Some(reason) = borrowed.lost().cloned() {
            drop(borrowed);
            let error = lost_error(reason);
            if may_go_elsewhere(&error, &self.wait) {
                client.current.take_if(|current| Rc::ptr_eq(current, &link));
                return Ok(true);
            }
            return Err(Ended::Badly(error));
        }
        let Some(slice) = self.wait.slice() else {
            borrowed.time_out(self.number, None);
            status.into_iter().for_each(|id| borrowed.forget(id));
            return Err(self.restarting());
        };
        borrowed.watch(self.number, &self.wait);
        let now = clock::simulated::peek();
        let (mut status, mut again) = (status, again);
        if answered.is_some() {
            (status, again) = (None, now + POLL_EVERY);
        } else if status.is_none() && now >= again && !borrowed.is_taken(self.number) {
            status = Some(borrowed.ask_status());
        }
        self.wake = if status.is_none() { again.max(now) } else { now + slice };
        drop(borrowed);
        self.stage = Stage::Start { link, status, again };
        Ok(false)
    }

    fn submit(&mut self, link: Shared) -> Result<bool, Ended> {
        let mut borrowed = link.borrow_mut();
        borrowed.turn();
        if borrowed.is_taken(self.number) {
            let Some(slice) = self.wait.slice() else {
                borrowed.time_out(self.number, None);
                let after = self.wait.limit().unwrap_or_default();
                let timeout =
                    CallError::Timeout { server: server(), after, accepted: false, expired: false };
                return Err(Ended::Badly(timeout));
            };
            self.wake = clock::now() + slice;
            drop(borrowed);
            self.stage = Stage::Submit { link };
            return Ok(false);
        }
        let Wish { kind, want, argument } = self.wish.clone();
        let call = borrowed.begin(self.number, kind, want, argument).map_err(Ended::Badly)?;
        drop(borrowed);
        self.stage = Stage::Await { link, call };
        Ok(true)
    }

    fn await_end(&mut self, link: Shared, mut call: Pending) -> Result<bool, Ended> {
        let mut borrowed = link.borrow_mut();
        borrowed.turn();
        if let Some(ended) = borrowed.ended(&mut call) {
            return Err(ended);
        }
        let Some(slice) = self.wait.slice() else {
            borrowed.time_out(self.number, Some(&call));
            return Err(Ended::Badly(call.timeout(&self.wait)));
        };
        borrowed.watch(self.number, &self.wait);
        if borrowed.lost().is_some() {
            drop(borrowed);
            self.stage = Stage::Await { link, call };
            return Ok(true);
        }
        self.wake = clock::now() + slice;
        drop(borrowed);
        self.stage = Stage::Await { link, call };
        Ok(false)
    }
}

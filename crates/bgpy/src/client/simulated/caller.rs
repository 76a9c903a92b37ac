//! A caller: from looking for the server to the end of its call, step by step.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use bgpy_proto::handshake::{ClientHandshake, Suite, ask_who_is_there, is_answered};
use bgpy_proto::{CallKind, ClientHello, Id, Outbox, Psk, Want};

use super::around::Around;
use super::shaking::{Shaken, exchange, send};
use super::{Ended, Link, Pending, Shared, lost_error, server};
use crate::client::connect::RETRY_EVERY;
use crate::client::greeting::ANSWER;
use crate::client::handshake_retry::{HandshakeRetries, Next, Verdict};
use crate::client::restart_wait::{
    POLL_EVERY, Pause, RestartWait, has_tasks, may_be_back_soon, may_go_elsewhere,
};
use crate::clock;
use crate::error::{CallError, ConnectError, Lost};
use crate::simulation::wire::{End, Wire};
use crate::transport::dial::time_left;
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

/// What a caller wants.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) kind: CallKind,
    pub(crate) want: Want,
    pub(crate) argument: Vec<u8>,
}

#[derive(Debug)]
enum Stage {
    /// Looks for the server.
    Look,
    /// Sleeps, then looks or dials.
    Sleep {
        until: Instant,
        redials: bool,
    },
    Shake {
        wire: Wire,
        handshake: Box<ClientHandshake>,
        out: Outbox,
        silent: bool,
    },
    /// Asks whether a server is there at all.
    Ask {
        wire: Wire,
        out: Outbox,
        answer: Vec<u8>,
        until: Instant,
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
    /// When the current attempt started.
    attempt: Instant,
    retries: HandshakeRetries,
    stage: Stage,
    /// When it checks again at the latest.
    pub(crate) wake: Instant,
    seen: u64,
}

impl Caller {
    pub(crate) fn new(number: usize, wish: Wish, wait: Wait<'static>, client: &Client) -> Self {
        let now = clock::now();
        let retries = HandshakeRetries::new(client.is_registered, true, false);
        let stage = Stage::Look;
        Self { number, wish, wait, attempt: now, retries, stage, wake: now, seen: 0 }
    }

    /// Whether something that it waits for has happened.
    pub(crate) fn is_ready(&self) -> bool {
        let link = match &self.stage {
            Stage::Shake { wire, .. } | Stage::Ask { wire, .. } => {
                return wire.has_news(End::Client);
            }
            Stage::Start { link, .. } | Stage::Submit { link } | Stage::Await { link, .. } => link,
            Stage::Look | Stage::Sleep { .. } => return false,
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
            Stage::Look => self.look(client, around),
            Stage::Sleep { until, redials } => {
                if clock::simulated::peek() < until {
                    self.wake = until;
                    self.stage = Stage::Sleep { until, redials };
                    return Ok(false);
                }
                if redials { self.dial(client, around) } else { Ok(true) }
            }
            Stage::Shake { wire, handshake, out, silent } => {
                self.shake(client, around, wire, handshake, out, silent)
            }
            Stage::Ask { wire, out, answer, until } => self.ask(around, wire, out, answer, until),
            Stage::Start { link, status, again } => self.start(client, link, status, again),
            Stage::Submit { link } => self.submit(link),
            Stage::Await { link, call } => self.await_end(link, call),
        }
    }

    fn look(&mut self, client: &mut Client, around: &mut dyn Around) -> Result<bool, Ended> {
        if let Some(link) = client.current.clone().filter(|link| link.borrow_mut().is_usable()) {
            return Ok(self.begin(link));
        }
        let server = server();
        let restart = RestartWait::since(&server, &self.wait, self.wait.since());
        match restart.pause([around.pause()].into_iter()) {
            Pause::None => {}
            Pause::For(pause) => {
                let until = clock::now() + pause;
                self.attempt = until;
                return Ok(self.sleep(until, false));
            }
            Pause::Over => return Err(self.restarting()),
        }
        self.retries = HandshakeRetries::new(client.is_registered, true, false);
        self.dial(client, around)
    }

    fn sleep(&mut self, until: Instant, redials: bool) -> bool {
        self.stage = Stage::Sleep { until, redials };
        true
    }

    fn dial(&mut self, client: &mut Client, around: &mut dyn Around) -> Result<bool, Ended> {
        let Some(wire) = around.dial(client.is_own) else {
            return self.failed(ConnectError::NotRunning { server: server() }, around);
        };
        let (mut out, hello) =
            (Outbox::default(), ClientHello { client: Id([7; 16]), ..ClientHello::default() });
        let handshake = ClientHandshake::start(client.suite, &client.psk, &hello, &mut out);
        self.stage = Stage::Shake { wire, handshake: Box::new(handshake), out, silent: true };
        Ok(true)
    }

    /// A route to the server has failed: the server may be restarted.
    fn failed(&mut self, error: ConnectError, around: &dyn Around) -> Result<bool, Ended> {
        let left = time_left(self.attempt, &self.wait);
        if around.comes_back() && may_be_back_soon(&error) && left.is_some() {
            return Ok(self.sleep(clock::now() + RETRY_EVERY, false));
        }
        Err(Ended::Badly(error.into()))
    }

    /// Connecting takes too long.
    fn late(&mut self, around: &dyn Around) -> Result<bool, Ended> {
        let name = server();
        let restart = RestartWait::since(&name, &self.wait, self.wait.since());
        if around.comes_back() && around.has_lost_process() {
            if restart.left().is_none() {
                return Err(self.restarting());
            }
            self.attempt = clock::now();
            return Ok(true);
        }
        let after = self.wait.limit().unwrap_or_default();
        let timeout =
            ConnectError::Timeout { server: server(), after, process: None, connected: false };
        Err(Ended::Badly(timeout.into()))
    }

    fn restarting(&self) -> Ended {
        let after = self.wait.limit().unwrap_or_default();
        Ended::Badly(ConnectError::Restarting { server: server(), after, failing: None }.into())
    }

    fn shake(
        &mut self,
        client: &mut Client,
        around: &mut dyn Around,
        wire: Wire,
        handshake: Box<ClientHandshake>,
        mut out: Outbox,
        silent: bool,
    ) -> Result<bool, Ended> {
        let refused = match exchange(&wire, *handshake, &mut out, silent) {
            Shaken::Done(session) => {
                let link = Rc::new(RefCell::new(Link::new(wire, *session)));
                // Another caller of the client may have been faster.
                let current = client.current.take();
                let current = current.filter(|link| link.borrow_mut().is_usable());
                let is_first = current.is_none();
                let chosen = current.unwrap_or_else(|| link.clone());
                if !is_first {
                    link.borrow_mut().lose(Lost::Dropped);
                }
                client.current = Some(chosen.clone());
                return Ok(self.begin(chosen));
            }
            Shaken::More(handshake, silent) => {
                let Some(left) = time_left(self.attempt, &self.wait) else {
                    wire.close(End::Client);
                    return self.late(around);
                };
                self.wake = clock::now() + left;
                self.stage = Stage::Shake { wire, handshake, out, silent };
                return Ok(false);
            }
            Shaken::Refused(refused) => refused,
        };
        wire.close(End::Client);
        match self.retries.note(refused) {
            Next::Ask => {
                let Some(wire) = around.dial(client.is_own) else {
                    let next = self.retries.asked(false);
                    return self.told(next, around);
                };
                let mut out = Outbox::default();
                ask_who_is_there(&mut out);
                let until = clock::now() + ANSWER;
                self.stage = Stage::Ask { wire, out, answer: Vec::new(), until };
                Ok(true)
            }
            next => self.told(next, around),
        }
    }

    fn told(&mut self, next: Next, around: &mut dyn Around) -> Result<bool, Ended> {
        let server = server();
        let error = match next {
            Next::Again(pause) => {
                let Some(left) = time_left(self.attempt, &self.wait) else {
                    return self.late(around);
                };
                return Ok(self.sleep(clock::now() + pause.min(left), true));
            }
            Next::Tell(Verdict::NotRunning) => ConnectError::NotRunning { server },
            Next::Tell(Verdict::Auth) => ConnectError::Auth { server, token: true },
            Next::Tell(Verdict::Cut) => ConnectError::Cut { server },
            next => unreachable!("{next:?} with a token"),
        };
        self.failed(error, around)
    }

    fn ask(
        &mut self,
        around: &mut dyn Around,
        wire: Wire,
        mut out: Outbox,
        mut answer: Vec<u8>,
        until: Instant,
    ) -> Result<bool, Ended> {
        wire.poll(End::Client);
        let mut buffer = [0; 64];
        let is_sent = out.is_empty() || send(&wire, &mut out).is_ok();
        let is_there = match wire.read(End::Client, &mut buffer) {
            _ if !is_sent => Some(false),
            Ok(count) => {
                answer.extend_from_slice(&buffer[..count]);
                is_answered(&answer, count == 0)
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                (clock::simulated::peek() >= until).then_some(false)
            }
            Err(_) => Some(false),
        };
        let Some(is_there) = is_there else {
            let Some(left) = time_left(self.attempt, &self.wait) else {
                wire.close(End::Client);
                return self.late(around);
            };
            self.wake = until.min(clock::now() + left);
            self.stage = Stage::Ask { wire, out, answer, until };
            return Ok(false);
        };
        wire.close(End::Client);
        let next = self.retries.asked(is_there);
        self.told(next, around)
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
                self.attempt = clock::now();
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
                let timeout = CallError::Timeout { server: server(), after, accepted: false };
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

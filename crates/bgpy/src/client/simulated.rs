//! A client in the simulation: the real rules and session, with callers that never block.

mod around;
mod caller;
mod handshake;
mod lookup;

use std::cell::RefCell;
use std::io::IoSlice;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bgpy_proto::client::Event;
use bgpy_proto::{CallKind, ClientSession, Id, Status, Want};

use super::call::{Course, is_refused};
use super::link::too_late;
use super::probe::{Probe, Silence, stands_still};
use crate::clock;
use crate::error::{CallError, Lost};
use crate::simulation::wire::{End, Wire};
use crate::wait::Wait;

pub(crate) use around::Around;
pub(crate) use caller::{Caller, Client, Wish};

/// Most bytes taken by one read.
const READ: usize = 64 << 10;

/// One connection, shared by the callers of a client.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) wire: Wire,
    session: ClientSession,
    lost: Option<Lost>,
    probe: Probe,
    has_started: bool,
    is_ending: bool,
    /// The caller whose message did not fit the wire at once.
    writer: Option<usize>,
    /// When something last moved while a caller was writing.
    moved: Instant,
    fresh: bool,
    heard: Instant,
    /// Change counter, by which callers notice changes.
    pub(crate) version: u64,
}

/// A caller's handle to a connection.
pub(crate) type Shared = Rc<RefCell<Link>>;

/// The state of one call.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) id: u64,
    want: Want,
    kind: CallKind,
    accepted: bool,
    is_late: bool,
    pub(crate) responses: Vec<Vec<u8>>,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With these responses: one for a caller that wants one, any number for a caller that wants
    /// all.
    Well(Vec<Vec<u8>>),
    /// The task did not respond.
    NoResponse,
    Badly(CallError),
}

/// The error for a lost connection.
pub(crate) fn lost_error(reason: Lost) -> CallError {
    CallError::Lost { server: server(), reason, instance: Id::default(), ended: None }
}

/// A server's name in errors.
pub(crate) fn server() -> String {
    "simulated".into()
}

impl Link {
    pub(crate) fn new(wire: Wire, session: ClientSession) -> Self {
        let (now, has_started) = (clock::now(), session.server().generation == 0);
        Self {
            wire,
            session,
            lost: None,
            probe: Probe::new(now),
            has_started,
            is_ending: false,
            writer: None,
            moved: now,
            fresh: false,
            heard: now,
            version: 0,
        }
    }

    pub(crate) fn has_started(&self) -> bool {
        self.has_started
    }

    pub(crate) fn note_started(&mut self) {
        self.has_started = true;
    }

    /// When something was last seen to move.
    pub(crate) fn last_heard(&self) -> Instant {
        if self.writer.is_some() { self.heard.max(self.moved) } else { self.heard }
    }

    /// Whether calls can be made, as far as is known.
    pub(crate) fn is_usable(&mut self) -> bool {
        if self.lost.is_some() {
            return false;
        }
        if self.probe.is_overdue(clock::now()) {
            self.turn();
            if self.probe.unanswered().is_some() {
                return false;
            }
        }
        if self.wire.has_ended(End::Client) {
            self.turn();
        }
        self.lost.is_none()
    }

    /// Reads what has arrived, and writes what fits.
    pub(crate) fn turn(&mut self) {
        self.wire.poll(End::Client);
        self.flush();
        self.read();
    }

    fn read(&mut self) {
        let mut buffer = vec![0; READ];
        while self.lost.is_none() {
            let placed = self
                .session
                .place()
                .map(|(part, missing)| self.wire.read_end(End::Client, part, missing));
            let is_placed = placed.is_some();
            match placed.unwrap_or_else(|| self.wire.read(End::Client, &mut buffer)) {
                Ok(0) => self.lose(Lost::Closed),
                Ok(count) => {
                    (self.fresh, self.version) = (true, self.version + 1);
                    self.moved = clock::now();
                    self.probe.answered();
                    let bytes = if is_placed { &[] } else { &buffer[..count] };
                    self.session.feed(bytes).expect("an honest server is understood");
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => self.lose(Lost::Io(error.kind())),
            }
        }
        if std::mem::take(&mut self.fresh) {
            self.heard = clock::now();
        }
    }

    fn flush(&mut self) {
        while self.lost.is_none() && !self.session.outbox.is_empty() {
            let slices = self.session.outbox.slices();
            let slices: Vec<IoSlice<'_>> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
            match self.wire.write(End::Client, &slices) {
                Ok(count) => {
                    self.session.outbox.advance(count);
                    self.version += 1;
                    self.moved = clock::now();
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    // The server may have said goodbye.
                    self.read();
                    self.lose(Lost::Io(error.kind()));
                }
            }
        }
        self.writer = None;
    }

    /// Whether a caller must wait until another one has written its message.
    pub(crate) fn is_taken(&self, caller: usize) -> bool {
        self.lost.is_none() && self.writer.is_some_and(|writer| writer != caller)
    }

    pub(crate) fn lose(&mut self, reason: Lost) {
        self.lost.get_or_insert(reason);
        self.session.outbox.clear();
        self.wire.close(End::Client);
        self.version += 1;
    }

    pub(crate) fn lost(&self) -> Option<&Lost> {
        self.lost.as_ref()
    }

    /// Sends a call; `None` if the connection is lost already, which its caller is told.
    pub(crate) fn begin(
        &mut self,
        caller: usize,
        kind: CallKind,
        want: Want,
        argument: Vec<u8>,
    ) -> Result<Pending, CallError> {
        let is_late = self.is_ending;
        let told = |error| if is_late { too_late(error) } else { error };
        if let Some(reason) = self.lost.clone() {
            return Err(told(lost_error(reason)));
        }
        let id = self.session.call(kind, want, argument.into()).map_err(CallError::Message)?;
        (self.writer, self.moved) = (Some(caller), clock::now());
        self.flush();
        let (accepted, responses) = (false, Vec::new());
        Ok(Pending { id, want, kind, accepted, is_late, responses })
    }

    /// Asks for the status.
    pub(crate) fn ask_status(&mut self) -> u64 {
        let id = self.session.status();
        self.flush();
        id
    }

    /// The status, if it has arrived.
    pub(crate) fn status(&mut self, id: u64) -> Option<Status> {
        match self.session.poll(id)? {
            Event::Status(status) => Some(*status),
            event => panic!("{event:?} is no status"),
        }
    }

    pub(crate) fn forget(&mut self, id: u64) {
        self.session.forget(id);
    }

    /// How a call has ended, if it has.
    pub(crate) fn ended(&mut self, call: &mut Pending) -> Option<Ended> {
        while let Some(event) = self.session.poll(call.id) {
            self.is_ending |= call.kind == CallKind::Exit && !is_refused(&event);
            match Course::of(event) {
                Course::Accepted if call.want == Want::Ack => return Some(Ended::Well(Vec::new())),
                Course::Accepted => {
                    assert!(!call.accepted, "a call is accepted once");
                    call.accepted = true;
                }
                Course::Response { response, is_last } => {
                    assert!(!response.error);
                    call.responses.push(response.message.data().to_vec());
                    if is_last {
                        return Some(Ended::Well(std::mem::take(&mut call.responses)));
                    }
                }
                Course::Ended if call.want == Want::First => return Some(Ended::NoResponse),
                Course::Ended => return Some(Ended::Well(std::mem::take(&mut call.responses))),
                Course::Failed(Event::Failed { failure, exceptions }) => {
                    let failed = CallError::Failed {
                        server: server(),
                        failure,
                        exceptions,
                        is_of_method: false,
                    };
                    return Some(Ended::Badly(failed));
                }
                Course::Failed(event) => panic!("{event:?} fits no call"),
                Course::Aside(step) => panic!("{step:?} was not asked for"),
            }
        }
        let reason = self.lost.clone()?;
        let lost = lost_error(reason);
        Some(Ended::Badly(if call.is_late { too_late(lost) } else { lost }))
    }

    /// Probes a silent server on behalf of a waiting caller.
    pub(crate) fn watch(&mut self, caller: usize, wait: &Wait<'_>) {
        if self.lost.is_some() {
            return;
        }
        if self.writer == Some(caller)
            && let Some(silence) = stands_still(self.moved)
        {
            return self.lose(Lost::Silent(silence));
        }
        let heard = self.heard.max(wait.since());
        match self.probe.silence() {
            Silence::Over(silence) => self.lose(Lost::Silent(silence)),
            Silence::Asked => self.flush(),
            Silence::NotAsked => {
                if self.probe.is_due(heard, wait.probe_after()) && self.writer.is_none() {
                    let ping = self.session.ping();
                    self.session.forget(ping);
                    self.probe.ask();
                    self.flush();
                }
            }
        }
    }

    /// Times a caller out: cancels the call if that is possible without waiting.
    pub(crate) fn time_out(&mut self, caller: usize, call: Option<&Pending>) {
        self.probe.give_up();
        let Some(call) = call else { return };
        if self.writer == Some(caller) {
            // Half a frame was sent, so nothing can follow it.
            self.lose(Lost::Dropped);
        } else if self.writer.is_some() || self.lost.is_some() {
            self.session.forget(call.id);
        } else {
            self.session.cancel(call.id);
            self.flush();
            if !self.session.outbox.is_empty() {
                self.lose(Lost::Dropped);
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.wire.close(End::Client);
    }
}

impl Pending {
    pub(crate) fn timeout(&self, wait: &Wait<'_>) -> CallError {
        let after = wait.limit().unwrap_or(Duration::MAX);
        CallError::Timeout { server: server(), after, accepted: self.accepted, expired: false }
    }
}

//! The handshake with a server, and what it means if the server closes the connection silently.
//!
//! A server that gets a wrong key closes without an answer. A client sees the same when the network
//! fails, the server ends, or too many connections wait. So the handshake is retried, and only a
//! server that answers a different key in the meantime has refused this one.

use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

use bgpy_proto::handshake::{
    ClientHandshake, Step, Suite, ask_other_program, ask_who_is_there, is_answered,
};
use bgpy_proto::{ClientHello, ClientSession, Outbox, ProtocolError, Psk};
use socket2::Socket;

use super::attempt::Attempt;
use super::handshake_retry::{HandshakeRetries, Next, Refused, Verdict};
use super::link::Link;
use super::proof::Proof;
use crate::error::ConnectError;
use crate::memory::segments::{self, Segments};
use crate::platform;
use crate::registry::Entry;
use crate::wait::SLICE;

/// A live server answers who it is within this time.
pub(super) const ANSWER: Duration = Duration::from_secs(2);

/// A server that answers later than this is checked for being another program.
const SOON: Duration = Duration::from_millis(500);

/// Opens a connection; `None` if nothing listens any more.
pub(super) type Dial<'a> = &'a dyn Fn() -> Result<Option<Socket>, ConnectError>;

impl Attempt<'_> {
    /// Connects and does the handshake; `None` if nothing listens.
    pub(super) fn greet(
        &self,
        dial: Dial<'_>,
        suite: Suite,
        entry: Option<&Entry>,
    ) -> Result<Option<Link>, ConnectError> {
        let token = self.token(entry);
        let is_open = token.is_none() && (self.wants_no_proof() || self.is_own(suite, entry));
        let psk = match &token {
            Some(token) => token.psk(),
            None if is_open => Psk::open(),
            // A random key tells a bgpy server, which closes silently, from other programs, and
            // reveals nothing.
            None => Psk::unknown(),
        };
        let registered = entry.and_then(|entry| entry.token.as_deref());
        let is_registered = token.as_ref().is_some_and(|it| registered == Some(it.expose()));
        let mut retries = HandshakeRetries::new(is_registered, token.is_some(), is_open);
        loop {
            let Some(socket) = dial()? else { return Ok(None) };
            let refused = match self.exchange(&socket, dial, suite, &psk) {
                Ok(session) => {
                    let can_map = suite == Suite::Clear && session.server().segments;
                    let segments = if can_map { Segments::new() } else { None };
                    let (server, proof) = (self.dialer.server.clone(), Proof::by(token.as_ref()));
                    return Ok(Some(Link::new(socket, server, session, segments, proof)));
                }
                Err(Refusal::Connect(ConnectError::Timeout { server, after, process, .. })) => {
                    return Err(ConnectError::Timeout { server, after, process, connected: true });
                }
                Err(Refusal::Connect(error)) => return Err(error),
                Err(Refusal::Protocol(ProtocolError::Unauthenticated)) => Refused::Otherwise,
                Err(Refusal::Protocol(source)) => {
                    return Err(ConnectError::Protocol {
                        server: self.dialer.server.clone(),
                        source,
                    });
                }
                Err(Refusal::Cut) => Refused::Cut,
                Err(Refusal::Closed) => Refused::Silently,
            };
            drop(socket);
            let mut next = retries.note(refused);
            if next == Next::Ask {
                next = retries.asked(self.is_there(dial)?);
            }
            match next {
                Next::Again(pause) => thread::sleep(self.dialer.left()?.min(pause)),
                Next::Tell(verdict) => return Err(self.tell(verdict, token.is_some())),
                Next::Ask => unreachable!("that was asked"),
            }
        }
    }

    fn tell(&self, verdict: Verdict, token: bool) -> ConnectError {
        let server = self.dialer.server.clone();
        match verdict {
            Verdict::NotRunning => ConnectError::NotRunning { server },
            Verdict::NoToken => {
                ConnectError::NoToken { server, replaced: self.proven != Proof::None }
            }
            Verdict::Auth => ConnectError::Auth { server, token },
            Verdict::Cut => ConnectError::Cut { server },
        }
    }

    fn exchange(
        &self,
        socket: &Socket,
        dial: Dial<'_>,
        suite: Suite,
        psk: &Psk,
    ) -> Result<ClientSession, Refusal> {
        let hello = ClientHello {
            client: self.id,
            bgpy: crate::VERSION.to_owned(),
            python: self.options.python.clone(),
            pid: u64::from(std::process::id()),
            message_bytes_max: self.options.message_bytes_max,
            segments: segments::SUPPORTED,
            allow_pickle: self.options.allow_pickle,
            goodbye: true,
        };
        socket.set_read_timeout(Some(SLICE)).map_err(|error| self.dialer.io(error))?;
        let mut outbox = Outbox::default();
        let mut handshake = ClientHandshake::start(suite, psk, &hello, &mut outbox);
        self.send(socket, &mut outbox)?;
        let mut buffer = [0; 4096];
        let mut silent = true;
        // A process that is known by its socket is the server.
        if suite != Suite::Clear && !self.comes_soon(socket)? && self.is_other_program(dial)? {
            return Err(Refusal::Protocol(ProtocolError::NotBgpy));
        }
        loop {
            let bytes = match self.receive(socket, &mut buffer)? {
                [] if silent => return Err(Refusal::Closed),
                [] => return Err(Refusal::Cut),
                bytes => bytes,
            };
            silent = false;
            match handshake.feed(bytes, &mut outbox).map_err(Refusal::Protocol)? {
                Step::More(more) => handshake = more,
                Step::Done(session) => {
                    self.send(socket, &mut outbox)?;
                    return Ok(session);
                }
            }
        }
    }

    /// Whether a server begins to answer as soon as they usually do, even under load.
    fn comes_soon(&self, socket: &Socket) -> Result<bool, Refusal> {
        let end = Instant::now() + SOON;
        while !self.dialer.wait_for(socket, false).map_err(|error| self.dialer.io(error))? {
            if self.dialer.wait.is_interrupted() {
                return Err(ConnectError::Interrupted.into());
            }
            if Instant::now() >= end {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a bgpy server answers there, whatever its token is.
    fn is_there(&self, dial: Dial<'_>) -> Result<bool, ConnectError> {
        let mut outbox = Outbox::default();
        ask_who_is_there(&mut outbox);
        self.ask(dial, outbox, ANSWER, is_answered)
    }

    /// Whether another program answers there. Many wait for the end of a line before they object to
    /// what they read, so the handshake alone does not tell.
    fn is_other_program(&self, dial: Dial<'_>) -> Result<bool, ConnectError> {
        let mut outbox = Outbox::default();
        ask_other_program(&mut outbox);
        let is_other = |answer: &[u8], is_all| {
            is_answered(answer, is_all).map(|is_bgpy| !is_bgpy && !answer.is_empty())
        };
        self.ask(dial, outbox, SOON, is_other)
    }

    /// Asks something on a connection of its own. `judge` gets all bytes of the answer so far, and
    /// whether no more follow; `false` without an answer in time.
    fn ask(
        &self,
        dial: Dial<'_>,
        mut question: Outbox,
        limit: Duration,
        judge: impl Fn(&[u8], bool) -> Option<bool>,
    ) -> Result<bool, ConnectError> {
        let Some(socket) = dial()? else { return Ok(false) };
        let mut asked = || -> Result<bool, Refusal> {
            self.send(&socket, &mut question)?;
            let mut answer = Vec::new();
            let mut buffer = [0; 64];
            let end = Instant::now() + limit;
            loop {
                while !self
                    .dialer
                    .wait_for(&socket, false)
                    .map_err(|error| self.dialer.io(error))?
                {
                    if self.dialer.wait.is_interrupted() {
                        return Err(ConnectError::Interrupted.into());
                    }
                    if Instant::now() >= end {
                        return Ok(false);
                    }
                }
                let bytes = self.receive(&socket, &mut buffer)?;
                answer.extend_from_slice(bytes);
                if let Some(judged) = judge(&answer, bytes.is_empty()) {
                    return Ok(judged);
                }
            }
        };
        match asked() {
            Ok(is_there) => Ok(is_there),
            Err(Refusal::Connect(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Sends a handshake message, which always fits an empty socket buffer.
    fn send(&self, socket: &Socket, outbox: &mut Outbox) -> Result<(), Refusal> {
        while !outbox.is_empty() {
            match platform::send_now(socket, outbox.front()) {
                Ok(sent) => outbox.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if was_cut(&error) => return Err(Refusal::Cut),
                Err(error) => return Err(self.dialer.io(error).into()),
            }
        }
        Ok(())
    }

    /// Receives available bytes; empty at EOF.
    fn receive<'b>(&self, socket: &Socket, buffer: &'b mut [u8]) -> Result<&'b [u8], Refusal> {
        while !self.dialer.wait_for(socket, false).map_err(|error| self.dialer.io(error))? {
            if self.dialer.wait.is_interrupted() {
                return Err(ConnectError::Interrupted.into());
            }
        }
        let mut stream = socket;
        match stream.read(buffer) {
            Ok(count) => Ok(&buffer[..count]),
            Err(error) if was_cut(&error) => Err(Refusal::Cut),
            Err(error) => Err(self.dialer.io(error).into()),
        }
    }
}

/// Why a handshake failed.
enum Refusal {
    Connect(ConnectError),
    Protocol(ProtocolError),
    /// The server closed the connection silently, as it does for a wrong key.
    Closed,
    /// The connection broke in the middle.
    Cut,
}

impl From<ConnectError> for Refusal {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

fn was_cut(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

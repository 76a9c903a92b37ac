//! Shaking hands with a server, and what it means when it closes the connection without a word.
//!
//! A server that gets a wrong key says nothing. Nothing is also what a client hears when the network breaks,
//! when the server ends, or when it has too many connections. So it is tried again, and only a server that
//! answers something else at the same time has refused the key.

use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

use bgpy_proto::handshake::{ClientHandshake, Step, Suite, ask_who_is_there, is_answered};
use bgpy_proto::{ClientHello, ClientSession, Outbox, ProtocolError, Psk};
use socket2::Socket;

use super::connect::Attempt;
use super::link::Link;
use super::proof::Proof;
use super::wait::SLICE;
use crate::error::ConnectError;
use crate::platform;
use crate::registry::Entry;
use crate::segments::{self, Segments};

/// Times that it is tried to shake hands.
const TRIES: u32 = 3;

/// Before the next time, after the first one.
const PAUSE: Duration = Duration::from_millis(10);

/// Within which a server that is there answers who it is.
const ANSWER: Duration = Duration::from_secs(2);

/// Opens a connection; none when there is nobody to connect to any more.
pub(super) type Dial<'a> = &'a dyn Fn() -> Result<Option<Socket>, ConnectError>;

impl Attempt<'_> {
    /// Connects and shakes hands; none when there is nobody to connect to.
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
            // It tells a bgpy server, which says nothing, from other programs, and tells those nothing.
            None => Psk::unknown(),
        };
        let registered = entry.and_then(|entry| entry.token.as_deref());
        let is_registered = token.as_ref().is_some_and(|it| registered == Some(it.expose()));
        let (mut closed, mut is_refused) = (0, false);
        for round in 0..TRIES {
            if round > 0 {
                thread::sleep(self.left()?.min(PAUSE * round));
            }
            let Some(socket) = dial()? else { return Ok(None) };
            match self.exchange(&socket, suite, &psk) {
                Ok(session) => {
                    let can_map = suite == Suite::Clear && session.server().segments;
                    let segments = if can_map { Segments::new() } else { None };
                    let (server, proof) = (self.server.clone(), Proof::by(token.as_ref()));
                    return Ok(Some(Link::new(socket, server, session, segments, proof)));
                }
                Err(Refusal::Connect(error)) => return Err(error),
                Err(Refusal::Cut) => continue,
                // The registry's token is the right one: a server that refuses it is about to end. One that has
                // made room for others is there when it is tried again.
                Err(Refusal::Protocol(ProtocolError::Unauthenticated) | Refusal::Closed)
                    if is_registered =>
                {
                    if round + 1 < TRIES {
                        continue;
                    }
                    return Err(self.not_running());
                }
                Err(Refusal::Protocol(ProtocolError::Unauthenticated)) => {}
                Err(Refusal::Protocol(source)) => {
                    return Err(ConnectError::Protocol { server: self.server.clone(), source });
                }
                // Without a token it was to be expected.
                Err(Refusal::Closed) if token.is_none() && !is_open => break,
                Err(Refusal::Closed) => {
                    closed += 1;
                    if closed == 1 {
                        continue;
                    }
                    if !self.is_there(dial)? {
                        break;
                    }
                }
            }
            is_refused = true;
            break;
        }
        let server = self.server.clone();
        Err(match token {
            None if !is_open => ConnectError::NoToken { server },
            token if is_refused => ConnectError::Auth { server, token: token.is_some() },
            _ => ConnectError::Cut { server },
        })
    }

    fn exchange(&self, socket: &Socket, suite: Suite, psk: &Psk) -> Result<ClientSession, Refusal> {
        let hello = ClientHello {
            client: self.id,
            bgpy: crate::VERSION.to_owned(),
            python: self.options.python.clone(),
            pid: u64::from(std::process::id()),
            message_bytes_max: self.options.message_bytes_max,
            segments: segments::SUPPORTED,
            allow_pickle: self.options.allow_pickle,
        };
        socket.set_read_timeout(Some(SLICE)).map_err(|error| self.io(error))?;
        let mut outbox = Outbox::default();
        let mut handshake = ClientHandshake::start(suite, psk, &hello, &mut outbox);
        self.send(socket, &mut outbox)?;
        let mut buffer = [0; 4096];
        let mut silent = true;
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

    /// Whether a bgpy server answers there, whatever its token is.
    fn is_there(&self, dial: Dial<'_>) -> Result<bool, ConnectError> {
        let Some(socket) = dial()? else { return Ok(false) };
        let asked = || -> Result<bool, Refusal> {
            let mut outbox = Outbox::default();
            ask_who_is_there(&mut outbox);
            self.send(&socket, &mut outbox)?;
            let mut answer = Vec::new();
            let mut buffer = [0; 64];
            let end = Instant::now() + ANSWER;
            loop {
                while !self.wait_for(&socket, false).map_err(|error| self.io(error))? {
                    if self.wait.is_interrupted() {
                        return Err(ConnectError::Interrupted.into());
                    }
                    if Instant::now() >= end {
                        return Ok(false);
                    }
                }
                let bytes = self.receive(&socket, &mut buffer)?;
                answer.extend_from_slice(bytes);
                if let Some(is_answered) = is_answered(&answer, bytes.is_empty()) {
                    return Ok(is_answered);
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
                Err(error) => return Err(self.io(error).into()),
            }
        }
        Ok(())
    }

    /// Receives what there is; empty at the end of the stream.
    fn receive<'b>(&self, socket: &Socket, buffer: &'b mut [u8]) -> Result<&'b [u8], Refusal> {
        while !self.wait_for(socket, false).map_err(|error| self.io(error))? {
            if self.wait.is_interrupted() {
                return Err(ConnectError::Interrupted.into());
            }
        }
        let mut stream = socket;
        match stream.read(buffer) {
            Ok(count) => Ok(&buffer[..count]),
            Err(error) if was_cut(&error) => Err(Refusal::Cut),
            Err(error) => Err(self.io(error).into()),
        }
    }
}

/// Why a handshake came to nothing.
enum Refusal {
    Connect(ConnectError),
    Protocol(ProtocolError),
    /// The server has closed the connection without a word, as it does for a wrong key.
    Closed,
    /// Something has ended the connection in the middle.
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

//! The handshake with a server: what to send, and what its answers mean, or that there are none.
//!
//! A server that gets a wrong key closes without an answer. A client sees the same when the network
//! fails, the server ends, or too many connections wait. So the handshake is retried, and only a
//! server that answers a different key in the meantime has refused this one.
//!
//! It has no sockets and does not sleep: it tells its caller what to do next, and is told what came of
//! that.

use std::time::{Duration, Instant};

use bgpy_proto::handshake::{
    ClientHandshake, Step, Suite, ask_other_program, ask_who_is_there, is_answered,
};
use bgpy_proto::{ClientHello, ClientSession, Outbox, ProtocolError, Psk};

use super::handshake_retry::{Answer, HandshakeRetries, Next, Refused, Verdict};
use super::proof::Proof;
use crate::clock;
use crate::error::ConnectError;

/// A live server answers who it is within this time.
const ANSWER: Duration = Duration::from_secs(2);

/// A server that answers later than this is checked for being another program.
const DOUBTS: Duration = Duration::from_millis(500);

/// What has sent nothing for so long is taken for another program, unless it is known to be a server: that
/// one answers within milliseconds, on an overloaded machine within seconds.
const SILENCE: Duration = Duration::from_secs(5);

/// What to do next.
#[derive(Debug)]
pub(super) enum Action {
    /// Open a connection to the server beside those that are open, and report it to
    /// [`dialled`](Greeting::dialled).
    Dial,
    /// Send [`out`](Greeting::out) on the connection that was opened last.
    Send,
    /// Receive bytes on it, and report them to [`received`](Greeting::received). If none have arrived
    /// `until` then, report that to [`late`](Greeting::late).
    Receive { until: Option<Instant> },
    /// Sleep for so long.
    Pause(Duration),
    /// Use the session on the connection that is open.
    Done(Box<ClientSession>),
    /// Give up: nothing listens.
    Absent,
}

/// What a client shows to a server.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) psk: Psk,
    /// What a server has proven that knows it.
    pub(super) proof: Proof,
    pub(super) has_token: bool,
    /// Whether it is the token of the server's entry in the registry.
    pub(super) is_registered: bool,
    /// Whether the server may be one without authentication.
    pub(super) is_open: bool,
    /// Whether a server has proven a token to this client before.
    pub(super) was_proven: bool,
    /// Whether it is known that a bgpy server is there: it is in the registry.
    pub(super) is_known: bool,
}

/// A handshake, on one connection after another until one of them gives a session.
#[derive(Debug)]
pub(super) struct Greeting {
    server: String,
    suite: Suite,
    key: Key,
    hello: ClientHello,
    /// The process that listens, if it is on this machine.
    process: Option<u32>,
    retries: HandshakeRetries,
    stage: Stage,
    /// Bytes to send on the connection that was opened last.
    pub(super) out: Outbox,
}

#[derive(Debug)]
enum Stage {
    /// There is no connection for the handshake.
    Apart,
    /// The server's part is awaited.
    Shaking {
        handshake: Box<ClientHandshake>,
        silence: Silence,
    },
    /// Wants to ask, on a second connection, whether this is another program.
    Doubting {
        handshake: Box<ClientHandshake>,
        since: Instant,
    },
    /// Wants to ask whether a bgpy server is there at all, whatever its token is.
    Wondering,
    /// Has asked one or the other. The handshake waits on its connection meanwhile, if it is still
    /// open.
    Asking {
        answer: Vec<u8>,
        until: Instant,
        handshake: Option<(Box<ClientHandshake>, Instant)>,
    },
    Pausing(Duration),
    Done(Box<ClientSession>),
    Absent,
}

/// How a server's part of the handshake is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// It has begun.
    Over,
    /// It has not, which is waited out: a server is known to be there.
    Borne,
    /// It has not since then. This may be another program, which has not been asked yet.
    Doubted(Instant),
    /// It has not since then, and nothing else tells what is there.
    Limited(Instant),
}

impl Greeting {
    pub(super) fn new(
        server: String,
        suite: Suite,
        key: Key,
        hello: ClientHello,
        process: Option<u32>,
    ) -> Self {
        let retries = HandshakeRetries::new(key.is_registered, key.has_token, key.is_open);
        let (stage, out) = (Stage::Apart, Outbox::default());
        Self { server, suite, key, hello, process, retries, stage, out }
    }

    /// What a server has proven that finishes the handshake.
    pub(super) fn proof(&self) -> Proof {
        self.key.proof
    }

    /// Whether memory may be shared with the server, if it can do that as well: it is on this machine,
    /// and of this user.
    pub(super) fn may_share_memory(&self) -> bool {
        self.suite == Suite::Clear
    }

    /// How many connections are to stay open, the oldest first. The others are to be closed.
    pub(super) fn connections(&self) -> usize {
        match &self.stage {
            Stage::Apart | Stage::Wondering | Stage::Pausing(_) | Stage::Absent => 0,
            Stage::Shaking { .. } | Stage::Doubting { .. } | Stage::Done(_) => 1,
            Stage::Asking { handshake, .. } => 1 + usize::from(handshake.is_some()),
        }
    }

    /// What to do next.
    pub(super) fn next(&mut self) -> Action {
        if !self.out.is_empty() {
            return Action::Send;
        }
        match std::mem::replace(&mut self.stage, Stage::Apart) {
            Stage::Pausing(pause) => return Action::Pause(pause),
            Stage::Done(session) => return Action::Done(session),
            stage => self.stage = stage,
        }
        match &self.stage {
            Stage::Shaking { silence, .. } => Action::Receive { until: silence.until() },
            Stage::Asking { until, .. } => Action::Receive { until: Some(*until) },
            Stage::Absent => Action::Absent,
            _ => Action::Dial,
        }
    }

    /// Notes that a connection was opened, or that nothing listens.
    ///
    /// # Errors
    /// What to tell the caller; as for all that follow.
    pub(super) fn dialled(&mut self, is_there: bool) -> Result<(), ConnectError> {
        let now = clock::now();
        self.stage = match std::mem::replace(&mut self.stage, Stage::Apart) {
            Stage::Doubting { handshake, since } if is_there => {
                ask_other_program(&mut self.out);
                let handshake = Some((handshake, since));
                Stage::Asking { answer: Vec::new(), until: now + DOUBTS, handshake }
            }
            Stage::Doubting { handshake, since } => self.undoubted(handshake, since),
            Stage::Wondering if is_there => {
                ask_who_is_there(&mut self.out);
                Stage::Asking { answer: Vec::new(), until: now + ANSWER, handshake: None }
            }
            Stage::Wondering => return self.asked(Answer::Absent),
            _ if is_there => {
                let handshake =
                    ClientHandshake::start(self.suite, &self.key.psk, &self.hello, &mut self.out);
                // A process that is known by its socket is the server.
                let is_certain = self.suite == Suite::Clear;
                let silence = if is_certain { Silence::Borne } else { Silence::Doubted(now) };
                Stage::Shaking { handshake: Box::new(handshake), silence }
            }
            _ => Stage::Absent,
        };
        Ok(())
    }

    /// Processes bytes that have arrived, or their end if there are none.
    pub(super) fn received(&mut self, bytes: &[u8]) -> Result<(), ConnectError> {
        match std::mem::replace(&mut self.stage, Stage::Apart) {
            Stage::Shaking { silence: Silence::Over, .. } if bytes.is_empty() => {
                self.refused(Refused::Cut)
            }
            Stage::Shaking { .. } if bytes.is_empty() => self.refused(Refused::Silently),
            Stage::Shaking { handshake, .. } => match handshake.feed(bytes, &mut self.out) {
                Ok(Step::More(handshake)) => {
                    let handshake = Box::new(handshake);
                    self.stage = Stage::Shaking { handshake, silence: Silence::Over };
                    Ok(())
                }
                Ok(Step::Done(session)) => {
                    self.stage = Stage::Done(Box::new(session));
                    Ok(())
                }
                Err(ProtocolError::Unauthenticated) => self.refused(Refused::Otherwise),
                Err(source) => Err(self.violated(source)),
            },
            Stage::Asking { mut answer, until, handshake } => {
                answer.extend_from_slice(bytes);
                match is_answered(&answer, bytes.is_empty()) {
                    Some(true) => self.answered(Answer::Bgpy, handshake),
                    Some(false) if answer.is_empty() => self.answered(Answer::None, handshake),
                    Some(false) => Err(self.violated(ProtocolError::NotBgpy)),
                    None => {
                        self.stage = Stage::Asking { answer, until, handshake };
                        Ok(())
                    }
                }
            }
            stage => {
                self.stage = stage;
                Ok(())
            }
        }
    }

    /// Notes that nothing has arrived in time.
    pub(super) fn late(&mut self) -> Result<(), ConnectError> {
        match std::mem::replace(&mut self.stage, Stage::Apart) {
            Stage::Shaking { handshake, silence: Silence::Doubted(since) } => {
                self.stage = Stage::Doubting { handshake, since };
            }
            Stage::Shaking { silence: Silence::Limited(_), .. } => {
                let (server, after) = (self.server.clone(), Some(SILENCE));
                return Err(ConnectError::Silent { server, after });
            }
            Stage::Asking { handshake, .. } => return self.answered(Answer::None, handshake),
            stage => self.stage = stage,
        }
        Ok(())
    }

    /// Notes that the connection that was opened last broke.
    pub(super) fn cut(&mut self) -> Result<(), ConnectError> {
        self.out = Outbox::default();
        match &self.stage {
            // What was received before counts.
            Stage::Asking { .. } => self.received(&[]),
            _ => {
                self.stage = Stage::Apart;
                self.refused(Refused::Cut)
            }
        }
    }

    /// The error for the caller, from one of the connection that was opened last or is being opened.
    pub(super) fn explain(&self, error: ConnectError) -> ConnectError {
        match error {
            ConnectError::Timeout { server, after, .. } => {
                let connected = match &self.stage {
                    Stage::Shaking { .. } | Stage::Doubting { .. } => true,
                    Stage::Asking { handshake, .. } => handshake.is_some(),
                    _ => false,
                };
                ConnectError::Timeout { server, after, process: self.process, connected }
            }
            error => error,
        }
    }

    /// Goes on after a question. For a handshake that waits, it was whether this is another program:
    /// many wait for the end of a line before they object to what they read, so the handshake alone
    /// does not tell.
    fn answered(
        &mut self,
        answer: Answer,
        handshake: Option<(Box<ClientHandshake>, Instant)>,
    ) -> Result<(), ConnectError> {
        match handshake {
            None => self.asked(answer),
            Some((handshake, since)) => {
                self.stage = self.undoubted(handshake, since);
                Ok(())
            }
        }
    }

    /// Goes on with a handshake that nothing speaks against but the silence since then.
    fn undoubted(&self, handshake: Box<ClientHandshake>, since: Instant) -> Stage {
        let is_certain = self.key.is_known || self.key.was_proven;
        let silence = if is_certain { Silence::Borne } else { Silence::Limited(since) };
        Stage::Shaking { handshake, silence }
    }

    fn refused(&mut self, refused: Refused) -> Result<(), ConnectError> {
        self.out = Outbox::default();
        let next = self.retries.note(refused);
        self.go_on(next)
    }

    fn asked(&mut self, answer: Answer) -> Result<(), ConnectError> {
        let next = self.retries.asked(answer);
        self.go_on(next)
    }

    fn go_on(&mut self, next: Next) -> Result<(), ConnectError> {
        self.stage = match next {
            Next::Again(pause) => Stage::Pausing(pause),
            Next::Ask => Stage::Wondering,
            Next::Tell(verdict) => return Err(self.told(verdict)),
        };
        Ok(())
    }

    fn told(&self, verdict: Verdict) -> ConnectError {
        let server = self.server.clone();
        match verdict {
            Verdict::NotRunning => ConnectError::NotRunning { server },
            Verdict::NoToken => ConnectError::NoToken { server, replaced: self.key.was_proven },
            Verdict::Auth => ConnectError::Auth { server, token: self.key.has_token },
            Verdict::Cut => ConnectError::Cut { server },
            Verdict::Silent => ConnectError::Silent { server, after: None },
        }
    }

    fn violated(&self, source: ProtocolError) -> ConnectError {
        ConnectError::Protocol { server: self.server.clone(), source }
    }
}

impl Silence {
    /// When something is to be done about it.
    fn until(self) -> Option<Instant> {
        match self {
            Self::Over | Self::Borne => None,
            Self::Doubted(since) => Some(since + DOUBTS),
            Self::Limited(since) => Some(since + SILENCE),
        }
    }
}

#[cfg(test)]
mod tests;

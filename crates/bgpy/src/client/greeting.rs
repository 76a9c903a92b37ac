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
const SOON: Duration = Duration::from_millis(500);

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
    /// The server's part is awaited; if it has not begun at `doubts_at`, this may be another program.
    Shaking {
        handshake: Box<ClientHandshake>,
        is_silent: bool,
        doubts_at: Option<Instant>,
    },
    /// Wants to ask, on a second connection, whether this is another program.
    Doubting(Box<ClientHandshake>),
    /// Wants to ask whether a bgpy server is there at all, whatever its token is.
    Wondering,
    /// Has asked one or the other. The handshake waits on its connection meanwhile, if it is still
    /// open.
    Asking {
        answer: Vec<u8>,
        until: Instant,
        handshake: Option<Box<ClientHandshake>>,
    },
    Pausing(Duration),
    Done(Box<ClientSession>),
    Absent,
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
            Stage::Shaking { .. } | Stage::Doubting(_) | Stage::Done(_) => 1,
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
            Stage::Shaking { doubts_at, .. } => Action::Receive { until: *doubts_at },
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
            Stage::Doubting(handshake) if is_there => {
                ask_other_program(&mut self.out);
                let handshake = Some(handshake);
                Stage::Asking { answer: Vec::new(), until: now + SOON, handshake }
            }
            Stage::Doubting(handshake) => undoubted(handshake),
            Stage::Wondering if is_there => {
                ask_who_is_there(&mut self.out);
                Stage::Asking { answer: Vec::new(), until: now + ANSWER, handshake: None }
            }
            Stage::Wondering => return self.asked(Answer::Nothing),
            _ if is_there => {
                let handshake =
                    ClientHandshake::start(self.suite, &self.key.psk, &self.hello, &mut self.out);
                // A process that is known by its socket is the server.
                let doubts_at = (self.suite != Suite::Clear).then(|| now + SOON);
                Stage::Shaking { handshake: Box::new(handshake), is_silent: true, doubts_at }
            }
            _ => Stage::Absent,
        };
        Ok(())
    }

    /// Processes bytes that have arrived, or their end if there are none.
    pub(super) fn received(&mut self, bytes: &[u8]) -> Result<(), ConnectError> {
        match std::mem::replace(&mut self.stage, Stage::Apart) {
            Stage::Shaking { is_silent: true, .. } if bytes.is_empty() => {
                self.refused(Refused::Silently)
            }
            Stage::Shaking { .. } if bytes.is_empty() => self.refused(Refused::Cut),
            Stage::Shaking { handshake, .. } => match handshake.feed(bytes, &mut self.out) {
                Ok(Step::More(handshake)) => {
                    let handshake = Box::new(handshake);
                    self.stage = Stage::Shaking { handshake, is_silent: false, doubts_at: None };
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
                    Some(false) if answer.is_empty() => self.answered(Answer::Closed, handshake),
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
            Stage::Shaking { handshake, .. } => self.stage = Stage::Doubting(handshake),
            Stage::Asking { handshake, .. } => return self.answered(Answer::Nothing, handshake),
            stage => self.stage = stage,
        }
        Ok(())
    }

    /// Notes that the connection that was opened last broke.
    pub(super) fn cut(&mut self) -> Result<(), ConnectError> {
        self.out = Outbox::default();
        match std::mem::replace(&mut self.stage, Stage::Apart) {
            Stage::Asking { handshake, .. } => self.answered(Answer::Nothing, handshake),
            _ => self.refused(Refused::Cut),
        }
    }

    /// The error for the caller, from one of the connection that was opened last or is being opened.
    pub(super) fn explain(&self, error: ConnectError) -> ConnectError {
        match error {
            ConnectError::Timeout { server, after, .. } => {
                let connected = match &self.stage {
                    Stage::Shaking { .. } | Stage::Doubting(_) => true,
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
        handshake: Option<Box<ClientHandshake>>,
    ) -> Result<(), ConnectError> {
        match handshake {
            None => self.asked(answer),
            Some(handshake) => {
                self.stage = undoubted(handshake);
                Ok(())
            }
        }
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
            Verdict::Silent => ConnectError::Silent { server },
        }
    }

    fn violated(&self, source: ProtocolError) -> ConnectError {
        ConnectError::Protocol { server: self.server.clone(), source }
    }
}

/// Goes on with a handshake that nothing speaks against.
fn undoubted(handshake: Box<ClientHandshake>) -> Stage {
    Stage::Shaking { handshake, is_silent: true, doubts_at: None }
}

#[cfg(test)]
mod tests {
    use bgpy_proto::handshake::ServerHandshake;
    use bgpy_proto::{Replays, ServerHello, Token};

    use super::*;

    fn greeting(suite: Suite) -> (Greeting, Token) {
        let token = Token::generate(32);
        let key = Key {
            psk: token.psk(),
            proof: Proof::None,
            has_token: true,
            is_registered: false,
            is_open: false,
            was_proven: false,
        };
        (Greeting::new("it".into(), suite, key, ClientHello::default(), None), token)
    }

    /// Takes what is to be sent.
    fn sent(greeting: &mut Greeting) -> Vec<u8> {
        assert!(matches!(greeting.next(), Action::Send));
        let bytes = greeting.out.front().to_vec();
        greeting.out.advance(bytes.len());
        assert!(greeting.out.is_empty());
        bytes
    }

    /// Dials and sends the first message.
    fn dial(greeting: &mut Greeting) -> Vec<u8> {
        assert!(matches!(greeting.next(), Action::Dial));
        greeting.dialled(true).unwrap();
        sent(greeting)
    }

    #[test]
    fn a_handshake_is_bytes_in_and_bytes_out() {
        let (mut greeting, token) = greeting(Suite::Clear);
        let mut server = ServerHandshake::new(token.psk(), ServerHello::default(), true);
        let (mut out, mut replays) = (Outbox::default(), Replays::default());
        let first = dial(&mut greeting);
        let Step::More(more) = server.feed(&first, &mut out, &mut replays).unwrap() else {
            panic!("the client has proven nothing yet");
        };
        server = more;
        assert!(matches!(greeting.next(), Action::Receive { until: None }));
        greeting.received(out.front()).unwrap();
        let proof = sent(&mut greeting);
        assert!(matches!(server.feed(&proof, &mut out, &mut replays), Ok(Step::Done(_))));
        assert_eq!(greeting.connections(), 1);
        assert!(matches!(greeting.next(), Action::Done(_)));
    }

    #[test]
    fn a_server_that_says_nothing_is_asked_whether_it_is_another_program() {
        for (answer, is_other) in
            [(&b"HTTP/1.0 200 OK\r\n"[..], true), (b"bgpy", false), (b"", false)]
        {
            let (mut greeting, _) = greeting(Suite::AesGcm);
            dial(&mut greeting);
            assert!(matches!(greeting.next(), Action::Receive { until: Some(_) }));
            greeting.late().unwrap();
            assert_eq!(dial(&mut greeting), b"HEAD / HTTP/1.0\r\n\r\n");
            assert_eq!(greeting.connections(), 2);
            let outcome = greeting.received(answer);
            assert_eq!(outcome.is_err(), is_other);
            if !is_other {
                assert_eq!(greeting.connections(), 1);
                assert!(matches!(greeting.next(), Action::Receive { until: None }));
            }
        }
    }

    #[test]
    fn a_token_is_missed_only_by_a_server_that_is_there() {
        for (answer, is_bgpy) in [(&b"bgpy"[..], true), (b"", false), (b"-ERR", false)] {
            let (mut greeting, _) = greeting(Suite::AesGcm);
            greeting.retries = HandshakeRetries::new(false, false, false);
            dial(&mut greeting);
            greeting.received(b"").unwrap();
            dial(&mut greeting);
            let error = greeting.received(answer).unwrap_err();
            assert_eq!(matches!(error, ConnectError::NoToken { .. }), is_bgpy, "{error}");
            assert!(is_bgpy || error.to_string().contains("another program listens there"));
        }
    }

    #[test]
    fn a_token_is_refused_by_a_server_that_is_there() {
        for is_there in [true, false] {
            let (mut greeting, _) = greeting(Suite::Clear);
            dial(&mut greeting);
            greeting.received(b"").unwrap();
            assert!(matches!(greeting.next(), Action::Pause(_)));
            dial(&mut greeting);
            greeting.received(b"").unwrap();
            assert_eq!(greeting.connections(), 0);
            dial(&mut greeting);
            let asked = greeting.received(if is_there { b"bgpy" } else { b"" });
            if is_there {
                asked.unwrap();
                assert!(matches!(greeting.next(), Action::Pause(_)));
                dial(&mut greeting);
                let refused = greeting.received(b"").unwrap_err();
                assert!(matches!(refused, ConnectError::Auth { token: true, .. }));
            } else {
                assert!(matches!(asked, Err(ConnectError::Silent { .. })));
            }
        }
    }
}

//! The in-memory transport, and the two ends that it joins.

use std::collections::VecDeque;

use bgpy_proto::handshake::{ClientHandshake, ServerHandshake, Step, Suite};
use bgpy_proto::{
    ClientHello, ClientSession, Id, Outbox, ProtocolError, Psk, ServerHello, ServerSession, Token,
};

use crate::random::Random;

/// Every suite, for tests that run with each.
pub const SUITES: [Suite; 3] = [Suite::AesGcm, Suite::ChaChaPoly, Suite::Clear];

/// The bytes of one direction that are written and not yet read.
#[derive(Default)]
pub struct Pipe {
    wire: VecDeque<u8>,
}

impl Pipe {
    /// Writes some of what waits, as a transport does that takes only a part of a vectored write.
    pub fn write(&mut self, out: &mut Outbox, random: &mut Random) {
        let (waiting, room) = (out.len(), random.magnitude(18));
        let slices = out.slices();
        assert_eq!(slices.first().map_or(&[][..], |slice| slice), out.front());
        assert_eq!(slices.is_empty(), out.is_empty());
        if out.is_single() {
            assert_eq!(out.front().len(), waiting);
        }
        let mut written = 0;
        for slice in slices {
            let take = slice.len().min(room - written);
            self.wire.extend(&slice[..take]);
            written += take;
        }
        out.advance(written);
        assert_eq!(out.len(), waiting - written);
    }

    /// Reads some of what is on its way, at most `most` bytes.
    pub fn read(&mut self, most: usize, random: &mut Random) -> Vec<u8> {
        let take = random.magnitude(18).min(most).min(self.wire.len());
        self.wire.drain(..take).collect()
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.wire.is_empty()
    }
}

/// One side of a connection, whatever it has come to.
pub struct End<H, S> {
    handshake: Option<H>,
    /// The session, once there is one.
    pub session: Option<S>,
    /// What waits to be written, as far as it is not in the session's own outbox.
    out: Outbox,
}

/// What the two kinds of handshake and session have in common.
pub trait Side: Sized {
    /// The session that it becomes.
    type Session;
    /// Feeds the handshake.
    fn shake(
        self,
        bytes: &[u8],
        out: &mut Outbox,
    ) -> Result<Step<Self, Self::Session>, ProtocolError>;
    /// Feeds the session.
    fn feed(session: &mut Self::Session, bytes: &[u8]) -> Result<(), ProtocolError>;
    /// What the session wants to write.
    fn outbox(session: &mut Self::Session) -> &mut Outbox;
}

impl Side for ClientHandshake {
    type Session = ClientSession;

    fn shake(
        self,
        bytes: &[u8],
        out: &mut Outbox,
    ) -> Result<Step<Self, ClientSession>, ProtocolError> {
        self.feed(bytes, out)
    }

    fn feed(session: &mut ClientSession, bytes: &[u8]) -> Result<(), ProtocolError> {
        session.feed(bytes)
    }

    fn outbox(session: &mut ClientSession) -> &mut Outbox {
        &mut session.outbox
    }
}

impl Side for ServerHandshake {
    type Session = ServerSession;

    fn shake(
        self,
        bytes: &[u8],
        out: &mut Outbox,
    ) -> Result<Step<Self, ServerSession>, ProtocolError> {
        self.feed(bytes, out)
    }

    fn feed(session: &mut ServerSession, bytes: &[u8]) -> Result<(), ProtocolError> {
        session.feed(bytes)
    }

    fn outbox(session: &mut ServerSession) -> &mut Outbox {
        &mut session.outbox
    }
}

impl<H: Side> End<H, H::Session> {
    /// An end whose handshake has begun and has written `out`.
    pub fn new(handshake: H, out: Outbox) -> Self {
        Self { handshake: Some(handshake), session: None, out }
    }

    /// Takes bytes from the other side.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        if let Some(session) = &mut self.session {
            return H::feed(session, bytes);
        }
        let handshake = self.handshake.take().expect("an end shakes hands or has a session");
        match handshake.shake(bytes, &mut self.out)? {
            Step::More(handshake) => self.handshake = Some(handshake),
            Step::Done(session) => self.session = Some(session),
        }
        Ok(())
    }

    /// Writes some of what waits. A transport may collect everything in one outbox (`joined`) or
    /// write from the session's own; the bytes must be the same.
    pub fn write(&mut self, pipe: &mut Pipe, joined: bool, random: &mut Random) {
        if let Some(session) = &mut self.session {
            if joined {
                self.out.append(H::outbox(session));
            } else if self.out.is_empty() {
                return pipe.write(H::outbox(session), random);
            }
        }
        pipe.write(&mut self.out, random);
    }

    /// Whether nothing waits to be written.
    pub fn is_quiet(&mut self) -> bool {
        self.out.is_empty() && self.session.as_mut().is_none_or(|s| H::outbox(s).is_empty())
    }
}

/// The client's end of every test.
pub type ClientEnd = End<ClientHandshake, ClientSession>;

/// The server's end of every test.
pub type ServerEnd = End<ServerHandshake, ServerSession>;

/// What the clients tell of themselves.
pub fn client_hello() -> ClientHello {
    ClientHello {
        client: Id([7; 16]),
        bgpy: "1.0.0".into(),
        python: Some("3.13.1".into()),
        pid: 7,
        ..ClientHello::default()
    }
}

/// What the servers tell of themselves.
pub fn server_hello() -> ServerHello {
    ServerHello {
        instance: Id([9; 16]),
        generation: 3,
        bgpy: "1.0.1".into(),
        python: None,
        pid: 9,
        ..ServerHello::default()
    }
}

/// A key from a token that needs no stretching.
pub fn psk(letter: char) -> Psk {
    Token::new(String::from(letter).repeat(43)).psk()
}

/// Starts a client's handshake; its first bytes wait in the outbox.
pub fn client(suite: Suite, psk: &Psk) -> (ClientHandshake, Outbox) {
    let mut out = Outbox::default();
    let handshake = ClientHandshake::start(suite, psk, &client_hello(), &mut out);
    (handshake, out)
}

/// Waits for a client, on a transport that allows every suite.
pub fn server(psk: &Psk) -> ServerHandshake {
    ServerHandshake::new(psk.clone(), server_hello(), true)
}

/// Everything that waits to be written.
pub fn drain(out: &mut Outbox) -> Vec<u8> {
    let bytes = out.slices().iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>();
    out.advance(bytes.len());
    assert!(out.is_empty(), "the tests send less than the slices of one write hold");
    bytes
}

/// The result of a step that needs more bytes.
pub fn more<H, S>(step: Result<Step<H, S>, ProtocolError>) -> H {
    match step {
        Ok(Step::More(handshake)) => handshake,
        Ok(Step::Done(_)) => panic!("the handshake ended early"),
        Err(error) => panic!("the handshake failed: {error}"),
    }
}

/// The result of a step that ends a handshake.
pub fn done<H, S>(step: Result<Step<H, S>, ProtocolError>) -> S {
    match step {
        Ok(Step::Done(session)) => session,
        Ok(Step::More(_)) => panic!("the handshake wants more"),
        Err(error) => panic!("the handshake failed: {error}"),
    }
}

/// The result of a step that fails.
pub fn failed<H, S>(step: Result<Step<H, S>, ProtocolError>) -> ProtocolError {
    match step {
        Err(error) => error,
        Ok(Step::Done(_)) => panic!("the handshake ended well"),
        Ok(Step::More(_)) => panic!("the handshake wants more"),
    }
}

/// Two sessions that have just shaken hands.
pub fn connect(suite: Suite) -> (ClientSession, ServerSession) {
    let psk = psk('k');
    let (client, mut up) = client(suite, &psk);
    let mut down = Outbox::default();
    let server = more(server(&psk).feed(&drain(&mut up), &mut down));
    let client = done(client.feed(&drain(&mut down), &mut up));
    let server = done(server.feed(&drain(&mut up), &mut down));
    assert!(down.is_empty());
    (client, server)
}

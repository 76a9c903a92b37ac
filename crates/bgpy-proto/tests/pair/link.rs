//! The in-memory transport, and the two ends that it joins.

use std::collections::VecDeque;

use bgpy_proto::handshake::{ClientHandshake, ServerHandshake, Step, Suite};
use bgpy_proto::{
    ClientHello, ClientSession, Id, Memory, Outbox, ProtocolError, Psk, Replays, ServerHello,
    ServerSession, Token,
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
        let front = out.front().to_vec();
        let (waiting, single, room) = (out.len(), out.is_single(), random.magnitude(18));
        let slices = out.slices();
        assert_eq!(slices.first().map_or(&[][..], |slice| slice), front);
        assert_eq!(slices.is_empty(), waiting == 0);
        assert!(slices.len() <= 1 || !single);
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

/// Memory that the sender shares.
#[derive(Debug)]
pub struct Lent(pub Vec<u8>);

impl Memory for Lent {
    fn as_slice(&self) -> &[u8] {
        &self.0
    }

    fn as_mut_ptr(&self) -> *mut u8 {
        self.0.as_ptr().cast_mut()
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
    /// Where the next bytes of a large message belong.
    fn place(session: &mut Self::Session) -> Option<(&mut Vec<u8>, usize)>;
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

    fn place(session: &mut ClientSession) -> Option<(&mut Vec<u8>, usize)> {
        session.place()
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
        self.feed(bytes, out, &mut Replays::default())
    }

    fn feed(session: &mut ServerSession, bytes: &[u8]) -> Result<(), ProtocolError> {
        session.feed(bytes)
    }

    fn place(session: &mut ServerSession) -> Option<(&mut Vec<u8>, usize)> {
        session.place()
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

    /// Takes bytes from the other side. A transport may put them where they belong (`placed`) or not;
    /// the messages must be the same.
    pub fn feed(&mut self, mut bytes: &[u8], placed: bool) -> Result<(), ProtocolError> {
        if let Some(session) = &mut self.session {
            while placed && let Some((part, most)) = H::place(session) {
                let take = bytes.len().min(most);
                let room = part.capacity() - part.len();
                assert!(0 < most && most <= room, "the place is as large as it says");
                part.extend_from_slice(&bytes[..take]);
                bytes = &bytes[take..];
                H::feed(session, &[])?;
                if bytes.is_empty() {
                    return Ok(());
                }
            }
            return H::feed(session, bytes);
        }
        let handshake = self.handshake.take().expect("an end shakes hands or has a session");
        match handshake.shake(bytes, &mut self.out)? {
            Step::More(handshake) => self.handshake = Some(handshake),
            Step::Done(session) => self.session = Some(session),
        }
        Ok(())
    }

    /// Writes some of what waits. Shared memory may be copied before it leaves (`owning`); the bytes
    /// must be the same.
    pub fn write(&mut self, pipe: &mut Pipe, owning: bool, random: &mut Random) {
        if let Some(session) = &mut self.session
            && self.out.is_empty()
        {
            let outbox = H::outbox(session);
            if owning && random.one_in(2) {
                outbox.own_some().expect("a test has memory");
            }
            return pipe.write(outbox, random);
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
    let mut bytes = Vec::new();
    while !out.is_empty() {
        let slices: Vec<_> = out.slices().iter().flat_map(|slice| slice.to_vec()).collect();
        out.advance(slices.len());
        bytes.extend(slices);
    }
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
    let server = more(server(&psk).feed(&drain(&mut up), &mut down, &mut Replays::default()));
    let client = done(client.feed(&drain(&mut down), &mut up));
    let server = done(server.feed(&drain(&mut up), &mut down, &mut Replays::default()));
    assert!(down.is_empty());
    (client, server)
}

//! The two sides of a connection.

use bgpy_proto::handshake::{ClientHandshake, ServerHandshake, Step, Suite};
use bgpy_proto::{
    ClientHello, ClientSession, Id, Outbox, ProtocolError, Psk, Replays, ServerHello, ServerSession,
};

/// Every suite and what its vectors are called.
pub const SUITES: [(&str, Suite); 3] =
    [("aesgcm", Suite::AesGcm), ("chachapoly", Suite::ChaChaPoly), ("clear", Suite::Clear)];

/// What the client of the vectors tells.
pub fn client_hello() -> ClientHello {
    ClientHello {
        client: Id([7; 16]),
        bgpy: "1.0.0".into(),
        python: Some("3.13.1".into()),
        pid: 7,
        ..ClientHello::default()
    }
}

/// What their server tells.
pub fn server_hello() -> ServerHello {
    ServerHello {
        instance: Id([9; 16]),
        generation: 3,
        bgpy: "1.0.1".into(),
        python: None,
        pid: 9,
        allow_pickle: false,
        ..ServerHello::default()
    }
}

/// A client's handshake, and what it writes first.
pub fn start_client(suite: Suite, psk: &Psk) -> (ClientHandshake, Outbox) {
    let mut out = Outbox::default();
    let client = ClientHandshake::start(suite, psk, &client_hello(), &mut out);
    (client, out)
}

/// A server's handshake.
pub fn server(psk: Psk) -> ServerHandshake {
    ServerHandshake::new(psk, server_hello(), true)
}

/// Two sessions whose frames are not sealed.
pub fn connect() -> (ClientSession, ServerSession) {
    let (client, mut up) = start_client(Suite::Clear, &Psk::open());
    let mut down = Outbox::default();
    let server =
        more(server(Psk::open()).feed(&drain(&mut up), &mut down, &mut Replays::default()));
    let client = done(client.feed(&drain(&mut down), &mut up));
    (client, done(server.feed(&drain(&mut up), &mut down, &mut Replays::default())))
}

/// The handshake that a step leaves.
pub fn more<H, S>(step: Result<Step<H, S>, ProtocolError>) -> H {
    let Ok(Step::More(handshake)) = step else { panic!("the handshake was to go on") };
    handshake
}

/// The session that a step gives.
pub fn done<H, S>(step: Result<Step<H, S>, ProtocolError>) -> S {
    let Ok(Step::Done(session)) = step else { panic!("the handshake was to end well") };
    session
}

/// Everything that waits to be written.
pub fn drain(out: &mut Outbox) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !out.is_empty() {
        let front = out.front().to_vec();
        out.advance(front.len());
        bytes.extend(front);
    }
    bytes
}

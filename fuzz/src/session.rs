//! Sessions after a handshake whose records are in the clear.
//!
//! A handshake costs a hundred times what a short input does. Hence [`Server`] and [`Client`] may
//! take one input after another, for as long as they say that they are fit for it.

use bgpy_proto::handshake::{ClientHandshake, ServerHandshake, Step, Suite};
use bgpy_proto::limits::CALLS_PER_CONNECTION_MAX;
use bgpy_proto::{
    ClientHello, ClientSession, Delivered, Exceptions, Failure, Outbox, Payload, Psk, Replays,
    ServerHello, ServerSession,
};

use super::client::Client;
use super::server::Server;

/// Asks for a server that sends a stream meanwhile.
const STREAMING: u8 = 4;

/// Feeds the input, but its first byte, to a new session: a server's when that byte is even, else a
/// client's that waits for answers.
pub fn session(input: &[u8]) -> bool {
    // So long an input could open more calls than a connection may, which the model leaves out.
    if input.len() > CALLS_PER_CONNECTION_MAX * 24 {
        return false;
    }
    match input {
        [side, stream @ ..] if side % 2 == 0 => {
            let mut server = Server::connect();
            if side & STREAMING != 0 {
                server.stream();
            }
            server.feed(stream)
        }
        [_, stream @ ..] => {
            let mut client = Client::connect();
            client.ask();
            client.feed(stream)
        }
        [] => false,
    }
}

/// Checks that a failure and its exceptions are what the bytes say.
pub(super) fn check_failure(failure: &Failure, exceptions: &Exceptions, data: &[u8]) {
    let bytes = |object: &Option<Delivered>| object.as_ref().map(|object| object.data().to_vec());
    let mut told = failure.clone();
    told.object = bytes(&exceptions.raised);
    assert_eq!(told.causes.len(), exceptions.causes.len());
    for (cause, object) in told.causes.iter_mut().zip(&exceptions.causes) {
        cause.object = bytes(object);
    }
    assert_eq!(Failure::decode(data), Some(told));
}

pub(crate) fn check_message(message: &Delivered, payload: &Payload) {
    assert!(message.data() == payload.data && message.buffers() == payload.buffers);
}

/// What a response of a stream counts, written down a second time.
pub(crate) fn weight(payload: &Payload) -> u64 {
    24 + payload.data.len() as u64
        + payload.buffers.iter().map(|buffer| 8 + buffer.len() as u64).sum::<u64>()
}

pub(crate) fn connect() -> (ClientSession, ServerSession) {
    let psk = Psk::open();
    let (mut up, mut down) = (Outbox::default(), Outbox::default());
    let hello = ClientHello::default();
    let client = ClientHandshake::start(Suite::Clear, &psk, &hello, &mut up);
    let server = ServerHandshake::new(psk, ServerHello::default(), true);
    let Ok(Step::More(server)) = server.feed(&drain(&mut up), &mut down, &mut Replays::default())
    else {
        panic!("the client is genuine")
    };
    let Ok(Step::Done(client)) = client.feed(&drain(&mut down), &mut up) else {
        panic!("the server is genuine")
    };
    let Ok(Step::Done(server)) = server.feed(&drain(&mut up), &mut down, &mut Replays::default())
    else {
        panic!("the confirmation is genuine")
    };
    (client, server)
}

pub(crate) fn drain(out: &mut Outbox) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(out.len());
    while !out.is_empty() {
        let front = out.front();
        bytes.extend_from_slice(front);
        let count = front.len();
        out.advance(count);
    }
    bytes
}

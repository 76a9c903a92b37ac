//! Preambles, keys and whole handshakes.

use bgpy_proto::handshake::{Step, Suite};
use bgpy_proto::{Kind, Outbox, Psk, Replays, Token};
use snow::{Builder, HandshakeState, StatelessTransportState};

use crate::link::{SUITES, client_hello, done, drain, more, server, server_hello, start_client};
use crate::message::hello_of;
use crate::vectors::{Vectors, assert_all, text, vectors};

/// Bytes of a preamble.
pub const PREAMBLE_BYTES: usize = 8;

#[test]
fn preambles() {
    let vectors = vectors(include_str!("preamble.hex"));
    let mut made = Vec::new();
    for (name, suite) in SUITES {
        let (_, mut out) = start_client(suite, &Psk::open());
        made.push((name.to_owned(), drain(&mut out)[..PREAMBLE_BYTES].to_vec()));
    }
    let mut out = Outbox::default();
    assert!(
        server(Psk::open()).feed(b"bgpy\x02\x01\0\0", &mut out, &mut Replays::default()).is_err()
    );
    made.push(("answer to another version".to_owned(), drain(&mut out)));
    assert_all(made, vectors);
}

#[test]
fn tokens_give_their_keys() {
    let vectors = vectors(include_str!("token.hex"));
    let token = |name: &str| Token::new(text(&vectors[name]));
    let (generated, chosen) = (token("generated token"), token("chosen token"));
    assert!(!generated.is_weak() && chosen.is_weak());
    let keys =
        [("generated psk", generated.psk()), ("chosen psk", chosen.psk()), ("no psk", Psk::open())];
    for (name, psk) in keys {
        // A key is not shown. Who opens a message that was sealed with the vector has it.
        let mut noise = builder(Suite::AesGcm, &vectors[name]).build_initiator().expect("keyed");
        let first = first_message(&mut noise, Suite::AesGcm, &hello_of(&client_hello()));
        let step = server(psk).feed(&first, &mut Outbox::default(), &mut Replays::default());
        assert!(matches!(step, Ok(Step::More(_))), "{name}");
    }
    assert_eq!(vectors.len(), 5);
}

/// Noise itself, with the keys that the vectors fix, gives the whole transcript. The two tests
/// below then put the crate in the place of either side, whose ephemeral keys are random.
#[test]
fn handshakes_are_those_of_noise() {
    let vectors = vectors(include_str!("handshake.hex"));
    for (name, suite) in SUITES {
        let part = |part: &str| vectors[&format!("{name} {part}")].clone();
        let (mut client, mut server) = noise_pair(suite, &vectors);
        let first = first_message(&mut client, suite, &hello_of(&client_hello()));
        assert_eq!(first, part("first"), "{name}");
        assert_eq!(read(&mut server, &first[PREAMBLE_BYTES..]), hello_of(&client_hello()));
        let answer = first_message(&mut server, suite, &hello_of(&server_hello()));
        assert_eq!(answer, part("answer"), "{name}");
        assert_eq!(read(&mut client, &answer[PREAMBLE_BYTES..]), hello_of(&server_hello()));
        let (client, server) = (stateless(client), stateless(server));
        assert_eq!(seal(&client, 0, b""), part("confirmation"), "{name}");
        let (ping, pong) = (record(Kind::Ping), record(Kind::Pong));
        if suite == Suite::Clear {
            assert_eq!((ping, pong), (part("ping"), part("pong")));
        } else {
            assert_eq!(seal(&client, 1, &ping), part("ping"), "{name}");
            assert_eq!(seal(&server, 0, &pong), part("pong"), "{name}");
        }
    }
    assert_eq!(vectors.len(), 2 + SUITES.len() * 5);
}

#[test]
fn a_server_takes_the_pinned_first_message() {
    let vectors = vectors(include_str!("handshake.hex"));
    for (name, suite) in SUITES {
        let (mut noise, _) = noise_pair(suite, &vectors);
        let pinned = &vectors[&format!("{name} first")];
        let first = first_message(&mut noise, suite, &hello_of(&client_hello()));
        assert_eq!(first, *pinned);
        let mut out = Outbox::default();
        let server = more(server(generated()).feed(pinned, &mut out, &mut Replays::default()));
        let answer = drain(&mut out);
        assert_eq!(answer[..PREAMBLE_BYTES], first[..PREAMBLE_BYTES]);
        assert_eq!(read(&mut noise, &answer[PREAMBLE_BYTES..]), hello_of(&server_hello()));
        let noise = stateless(noise);
        let mut session =
            done(server.feed(&seal(&noise, 0, b""), &mut out, &mut Replays::default()));
        assert_eq!(*session.client(), client_hello());
        let ping = record(Kind::Ping);
        let ping = if suite == Suite::Clear { ping } else { seal(&noise, 1, &ping) };
        session.feed(&ping).expect("the ping is as pinned");
        let pong = drain(&mut session.outbox);
        let pong = if suite == Suite::Clear { pong } else { open(&noise, 0, &pong) };
        assert_eq!(pong, record(Kind::Pong));
    }
}

#[test]
fn a_client_takes_an_answer_with_the_pinned_key() {
    let vectors = vectors(include_str!("handshake.hex"));
    for (_, suite) in SUITES {
        let (_, mut noise) = noise_pair(suite, &vectors);
        let (client, mut out) = start_client(suite, &generated());
        let first = drain(&mut out);
        assert_eq!(read(&mut noise, &first[PREAMBLE_BYTES..]), hello_of(&client_hello()));
        let answer = first_message(&mut noise, suite, &hello_of(&server_hello()));
        let mut session = done(client.feed(&answer, &mut out));
        assert_eq!(*session.server(), server_hello());
        let noise = stateless(noise);
        assert_eq!(open(&noise, 0, &drain(&mut out)), b"");
        session.ping();
        let ping = drain(&mut session.outbox);
        let ping = if suite == Suite::Clear { ping } else { open(&noise, 1, &ping) };
        assert_eq!(ping, record(Kind::Ping));
    }
}

/// The bytes of a frame without contents for the first call.
fn record(kind: Kind) -> Vec<u8> {
    [&[kind as u8][..], &[0; 7], &[1], &[0; 15]].concat()
}

/// The key of the token that the handshakes were made with.
pub fn generated() -> Psk {
    let vectors = vectors(include_str!("token.hex"));
    Token::new(text(&vectors["generated token"])).psk()
}

fn builder(suite: Suite, psk: &[u8]) -> Builder<'_> {
    let name = match suite {
        Suite::AesGcm | Suite::Clear => "Noise_NNpsk0_25519_AESGCM_SHA256",
        Suite::ChaChaPoly => "Noise_NNpsk0_25519_ChaChaPoly_SHA256",
    };
    let prologue: &[u8] = match suite {
        Suite::AesGcm => b"bgpy\x01\x01\0\0",
        Suite::ChaChaPoly => b"bgpy\x01\x02\0\0",
        Suite::Clear => b"bgpy\x01\x03\0\0",
    };
    let psk = psk.try_into().expect("a key has 32 bytes");
    let builder = Builder::new(name.parse().expect("snow knows the name"));
    builder.psk(0, psk).and_then(|it| it.prologue(prologue)).expect("each is set once")
}

/// A client and a server of Noise's own, with the pinned ephemeral keys.
pub fn noise_pair(suite: Suite, handshake: &Vectors) -> (HandshakeState, HandshakeState) {
    let tokens = vectors(include_str!("token.hex"));
    let side = |name| {
        builder(suite, &tokens["generated psk"])
            .fixed_ephemeral_key_for_testing_only(&handshake[name])
    };
    let client = side("client ephemeral key").build_initiator().expect("it has its keys");
    let server = side("server ephemeral key").build_responder().expect("it has its keys");
    (client, server)
}

/// A preamble and a handshake message with its length.
pub fn first_message(noise: &mut HandshakeState, suite: Suite, payload: &[u8]) -> Vec<u8> {
    let mut message = [0; 1024];
    let length = noise.write_message(payload, &mut message).expect("the message is short");
    let preamble = [b'b', b'g', b'p', b'y', 1, suite as u8, 0, 0];
    [&preamble, &(length as u16).to_le_bytes()[..], &message[..length]].concat()
}

/// The payload of a handshake message.
pub fn read(noise: &mut HandshakeState, prefixed: &[u8]) -> Vec<u8> {
    let mut payload = [0; 1024];
    let length = noise.read_message(unprefixed(prefixed), &mut payload).expect("it opens");
    payload[..length].to_vec()
}

/// The keys of the records.
pub fn stateless(noise: HandshakeState) -> StatelessTransportState {
    noise.into_stateless_transport_mode().expect("the handshake is over")
}

/// A record.
pub fn seal(noise: &StatelessTransportState, nonce: u64, plain: &[u8]) -> Vec<u8> {
    let mut sealed = vec![0; plain.len() + 16];
    let length = noise.write_message(nonce, plain, &mut sealed).expect("the record is short");
    [&(length as u16).to_le_bytes()[..], &sealed].concat()
}

fn open(noise: &StatelessTransportState, nonce: u64, record: &[u8]) -> Vec<u8> {
    let mut plain = vec![0; record.len()];
    let length = noise.read_message(nonce, unprefixed(record), &mut plain).expect("it opens");
    plain.truncate(length);
    plain
}

/// Checks the length in front and takes it off.
fn unprefixed(message: &[u8]) -> &[u8] {
    let (length, message) = message.split_first_chunk::<2>().expect("a length stands in front");
    assert_eq!(usize::from(u16::from_le_bytes(*length)), message.len());
    message
}

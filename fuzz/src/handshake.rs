//! Both sides of the handshake.

use std::sync::OnceLock;

use bgpy_proto::codec::Value;
use bgpy_proto::handshake::{ClientHandshake, ServerHandshake, Step, Suite, VERSION};
use bgpy_proto::{ClientHello, Outbox, ProtocolError, Psk, Replays, ServerHello};
use snow::{Builder, HandshakeState};

const SUITES: [Suite; 3] = [Suite::AesGcm, Suite::ChaChaPoly, Suite::Clear];
/// Room that a hello leaves for the key, the tag and the preamble.
const HELLO_BYTES_MAX: usize = 1900;

/// Plays one side of a handshake against the input. Its first byte says what the rest is: bytes
/// from a stranger, a genuine message that was altered, or the hello of a peer with the token.
pub fn handshake(input: &[u8]) -> bool {
    let [mode, rest @ ..] = input else { return false };
    let suite = SUITES[usize::from(mode / 6) % SUITES.len()];
    match mode % 6 {
        0 => server_hears(rest),
        1 => server_hears(&altered(&first_messages()[suite as usize - 1], rest)),
        2 => client_hears(rest, suite),
        3 => client_hears_altered(rest, suite),
        4 => server_hears_hello(rest, suite),
        _ => client_hears_hello(rest, suite),
    }
}

/// A stranger, or somebody who alters a genuine message, never gets a session; and an answer only
/// to a message that is genuine as a whole.
fn server_hears(bytes: &[u8]) -> bool {
    let (mut out, mut outcome) = (Outbox::default(), Ok(server()));
    // Two reads, so that a message also arrives in parts.
    let (head, tail) = bytes.split_at(bytes.len() / 2);
    for read in [head, tail] {
        outcome = outcome.and_then(|handshake| {
            handshake.feed(read, &mut out, &mut Replays::default()).map(unfinished)
        });
    }
    let genuine = first_messages().iter().any(|first| bytes.starts_with(first));
    let other_version = bytes.len() >= 8 && bytes.starts_with(b"bgpy") && bytes[4] != VERSION;
    if other_version {
        assert_eq!(drain(&mut out), [b'b', b'g', b'p', b'y', VERSION, 1, 0, 0]);
        assert!(matches!(outcome, Err(ProtocolError::Version { .. })));
    } else {
        assert_eq!(out.is_empty(), !genuine, "the wrong one was answered");
    }
    genuine
}

fn client_hears(bytes: &[u8], suite: Suite) -> bool {
    let (client, mut out) = client(suite);
    drain(&mut out);
    let going_on = client.feed(bytes, &mut out).map(unfinished).is_ok();
    assert!(out.is_empty(), "a stranger was answered");
    going_on
}

fn client_hears_altered(alteration: &[u8], suite: Suite) -> bool {
    let (client, mut up) = client(suite);
    let mut down = Outbox::default();
    server()
        .feed(&drain(&mut up), &mut down, &mut Replays::default())
        .map(unfinished)
        .expect("the client is genuine");
    let answer = drain(&mut down);
    let heard = altered(&answer, alteration);
    let step = client.feed(&heard, &mut up);
    let done = matches!(step, Ok(Step::Done(_)));
    assert!(!done || heard.starts_with(&answer), "a false server was believed");
    assert!(done || heard != answer, "a genuine server was not believed");
    done
}

/// A client that holds the token says something odd of itself.
fn server_hears_hello(hello: &[u8], suite: Suite) -> bool {
    let mut noise = builder(suite, &preamble(suite)).build_initiator().expect("it has its key");
    let hello = &hello[..hello.len().min(HELLO_BYTES_MAX)];
    let mut out = Outbox::default();
    let step = server().feed(&message(&mut noise, suite, hello), &mut out, &mut Replays::default());
    let judged = Judged::of(hello, "client", &["pid", "message_bytes_max"]);
    let server = match step.map(unfinished) {
        Ok(server) => server,
        Err(error) => {
            assert_eq!(error, ProtocolError::Malformed("the client's hello"));
            assert!(out.is_empty());
            judged.see(None);
            return false;
        }
    };
    noise.read_message(&drain(&mut out)[10..], &mut [0; 2048]).expect("the server is genuine");
    let noise = noise.into_stateless_transport_mode().expect("both messages are through");
    let mut confirmation = [16; 18];
    confirmation[1] = 0;
    noise.write_message(0, &[], &mut confirmation[2..]).expect("a tag fits");
    let Ok(Step::Done(session)) = server.feed(&confirmation, &mut out, &mut Replays::default())
    else {
        panic!("a genuine client got no session")
    };
    judged.see(Some((&session.client().bgpy, session.client().pid)));
    true
}

/// A server that holds the token says something odd of itself.
fn client_hears_hello(hello: &[u8], suite: Suite) -> bool {
    let (client, mut up) = client(suite);
    let mut noise = builder(suite, &preamble(suite)).build_responder().expect("it has its key");
    noise.read_message(&drain(&mut up)[10..], &mut [0; 2048]).expect("the client is genuine");
    let hello = &hello[..hello.len().min(HELLO_BYTES_MAX)];
    let step = client.feed(&message(&mut noise, suite, hello), &mut up);
    let judged = Judged::of(hello, "instance", &["generation", "pid", "message_bytes_max"]);
    match step {
        Ok(Step::Done(session)) => {
            judged.see(Some((&session.server().bgpy, session.server().pid)));
            true
        }
        Err(ProtocolError::Malformed("the server's hello")) => {
            judged.see(None);
            false
        }
        step => panic!("{step:?}"),
    }
}

/// What is to become of a hello.
enum Judged {
    /// It is as PROTOCOL.md has it, with this version and process.
    Whole(String, u64),
    /// Close to that: a key comes twice, or a value is of a related type.
    Odd,
    /// A key that must be there is not.
    Lacking,
}

impl Judged {
    fn of(hello: &[u8], identity: &str, numbers: &[&str]) -> Self {
        let Ok(hello @ Value::Map(_)) = Value::decode(hello) else { return Self::Lacking };
        let known = [&[identity, "bgpy"], numbers].concat();
        if known.iter().any(|key| hello.get(key).is_none()) {
            return Self::Lacking;
        }
        let Value::Map(pairs) = &hello else { unreachable!("it is a map") };
        let is_once = |key: &Value| pairs.iter().filter(|(other, _)| other == key).count() == 1;
        let is_right = |(key, value): &(Value, Value)| {
            is_once(key)
                && match key.as_str() {
                    Some("python" | "overloaded") => matches!(value, Value::Str(_) | Value::Nil),
                    Some("segments" | "allow_pickle" | "goodbye" | "debug" | "calls") => {
                        matches!(value, Value::Bool(_))
                    }
                    Some("bgpy") => matches!(value, Value::Str(_)),
                    Some(key) if numbers.contains(&key) => value.as_u64().is_some(),
                    Some(key) if key == identity => {
                        matches!(value, Value::Bytes(id) if id.len() == 16)
                    }
                    Some(_) => true,
                    None => false,
                }
        };
        let told = || Some((hello.get("bgpy")?.as_str()?.to_owned(), hello.get("pid")?.as_u64()?));
        match told().filter(|_| pairs.iter().all(is_right)) {
            Some((bgpy, pid)) => Self::Whole(bgpy, pid),
            None => Self::Odd,
        }
    }

    /// Compares it with what was made of it.
    fn see(&self, taken: Option<(&String, u64)>) {
        match (self, taken) {
            (Self::Whole(bgpy, pid), taken) => assert_eq!(taken, Some((bgpy, *pid))),
            (Self::Lacking, taken) => assert_eq!(taken, None),
            (Self::Odd, _) => {}
        }
    }
}

/// Alters a genuine message: the first byte of `how` cuts it unless it is 0, the others are added
/// without carry, and those beyond its end are appended.
fn altered(genuine: &[u8], how: &[u8]) -> Vec<u8> {
    let (cut, how) = how.split_first().unwrap_or((&0, &[]));
    let kept = if *cut == 0 { genuine.len() } else { genuine.len().min(usize::from(*cut)) };
    let mut bytes = genuine[..kept].to_vec();
    bytes.iter_mut().zip(how).for_each(|(byte, other)| *byte ^= other);
    bytes.extend_from_slice(how.get(kept..).unwrap_or_default());
    bytes
}

/// A genuine first message of each suite.
fn first_messages() -> &'static [Vec<u8>; 3] {
    static MESSAGES: OnceLock<[Vec<u8>; 3]> = OnceLock::new();
    MESSAGES.get_or_init(|| SUITES.map(|suite| drain(&mut client(suite).1)))
}

fn client(suite: Suite) -> (ClientHandshake, Outbox) {
    let (mut out, hello) = (Outbox::default(), ClientHello::default());
    let psk = Psk::open();
    let client = ClientHandshake::start(suite, &psk, &hello, &mut out);
    (client, out)
}

fn server() -> ServerHandshake {
    ServerHandshake::new(Psk::open(), ServerHello::default(), true)
}

fn unfinished<H, S>(step: Step<H, S>) -> H {
    let Step::More(handshake) = step else { panic!("a session for somebody without the token") };
    handshake
}

fn preamble(suite: Suite) -> [u8; 8] {
    [b'b', b'g', b'p', b'y', VERSION, suite as u8, 0, 0]
}

/// Noise itself, with the key of a server that is open.
fn builder(suite: Suite, preamble: &[u8]) -> Builder<'_> {
    let name = match suite {
        Suite::AesGcm | Suite::Clear => "Noise_NNpsk0_25519_AESGCM_SHA256",
        Suite::ChaChaPoly => "Noise_NNpsk0_25519_ChaChaPoly_SHA256",
    };
    Builder::new(name.parse().expect("snow knows the name"))
        .psk(0, &[0; 32])
        .and_then(|builder| builder.prologue(preamble))
        .expect("each is set once")
}

/// A preamble, and a handshake message with its length.
fn message(noise: &mut HandshakeState, suite: Suite, payload: &[u8]) -> Vec<u8> {
    let mut message = [0; 2048];
    let length = noise.write_message(payload, &mut message).expect("the hello was shortened");
    [&preamble(suite)[..], &(length as u16).to_le_bytes(), &message[..length]].concat()
}

fn drain(out: &mut Outbox) -> Vec<u8> {
    let bytes = out.front().to_vec();
    out.advance(bytes.len());
    assert!(out.is_empty(), "a handshake is short");
    bytes
}

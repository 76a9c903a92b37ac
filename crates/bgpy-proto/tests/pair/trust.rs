//! Attacks: who does not hold the token gets nothing, and who alters a byte ends the connection.

use bgpy_proto::client::Event;
use bgpy_proto::handshake::{ServerHandshake, Step, Suite, VERSION};
use bgpy_proto::{
    CallKind, ClientSession, Outbox, Payload, ProtocolError, Psk, Replays, Request, ServerSession,
    Want,
};

use crate::link::{SUITES, client, connect, done, drain, failed, more, psk, server, server_hello};

const PREAMBLE_BYTES: usize = 8;
/// Prefix, header and tag.
const ACK_RECORD_BYTES: usize = 2 + 24 + 16;
const SEALED: [Suite; 2] = [Suite::AesGcm, Suite::ChaChaPoly];

#[test]
fn a_wrong_token_is_answered_with_nothing() {
    for suite in SUITES {
        let (_, mut up) = client(suite, &psk('a'));
        let mut down = Outbox::default();
        let error =
            failed(server(&psk('b')).feed(&drain(&mut up), &mut down, &mut Replays::default()));
        assert_eq!(error, ProtocolError::Unauthenticated);
        assert!(down.is_empty(), "a stranger was answered");
    }
}

#[test]
fn a_server_without_the_token_is_recognised() {
    for suite in SUITES {
        // Not knowing the token, it can only repeat an answer that it has seen elsewhere.
        let (_, mut elsewhere) = client(suite, &psk('b'));
        let mut seen = Outbox::default();
        more(server(&psk('b')).feed(&drain(&mut elsewhere), &mut seen, &mut Replays::default()));
        let (client, _) = client(suite, &psk('a'));
        let mut up = Outbox::default();
        let error = failed(client.feed(&drain(&mut seen), &mut up));
        assert_eq!(error, ProtocolError::Unauthenticated);
        assert!(up.is_empty(), "a false server was answered");
    }
}

#[test]
fn another_version_hears_which_one_is_spoken() {
    for (suite, theirs) in SUITES.into_iter().flat_map(|suite| [(suite, 0), (suite, VERSION + 1)]) {
        let expected = ProtocolError::Version { ours: VERSION, theirs };
        let (newer, mut up) = client(suite, &psk('a'));
        let mut first = drain(&mut up);
        first[4] = theirs;
        let mut down = Outbox::default();
        assert_eq!(
            failed(server(&psk('a')).feed(&first, &mut down, &mut Replays::default())),
            expected
        );
        let mut answer = drain(&mut down);
        assert_eq!(answer, [b'b', b'g', b'p', b'y', VERSION, 1, 0, 0]);
        answer[4] = theirs;
        assert_eq!(failed(newer.feed(&answer, &mut up)), expected);
        assert!(up.is_empty());
    }
}

#[test]
fn another_protocol_is_noticed_at_its_first_byte() {
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"b\r\n", b"\x16\x03\x01", b"\0"] {
        let mut down = Outbox::default();
        assert_eq!(
            failed(server(&psk('a')).feed(bytes, &mut down, &mut Replays::default())),
            ProtocolError::NotBgpy
        );
        assert!(down.is_empty());
        let (client, _) = client(Suite::AesGcm, &psk('a'));
        assert_eq!(failed(client.feed(bytes, &mut down)), ProtocolError::NotBgpy);
    }
}

#[test]
fn records_in_the_clear_need_a_transport_that_allows_them() {
    let (_, mut up) = client(Suite::Clear, &psk('a'));
    let mut down = Outbox::default();
    let server = ServerHandshake::new(psk('a'), server_hello(), false);
    assert_eq!(
        failed(server.feed(&drain(&mut up), &mut down, &mut Replays::default())),
        ProtocolError::Suite(3)
    );
    assert!(down.is_empty());
}

#[test]
fn the_suite_cannot_be_swapped_on_the_way() {
    // The Noise name of both is the same, so that only the bound preamble tells them apart.
    let (_, mut up) = client(Suite::AesGcm, &psk('a'));
    let mut first = drain(&mut up);
    first[5] = Suite::Clear as u8;
    let mut down = Outbox::default();
    let error = failed(server(&psk('a')).feed(&first, &mut down, &mut Replays::default()));
    assert_eq!(error, ProtocolError::Unauthenticated);
    assert!(down.is_empty());
}

#[test]
fn a_replayed_handshake_gives_no_session() {
    for suite in SUITES {
        let (client, mut up) = client(suite, &psk('a'));
        let first = drain(&mut up);
        let mut down = Outbox::default();
        let honest = more(server(&psk('a')).feed(&first, &mut down, &mut Replays::default()));
        done(client.feed(&drain(&mut down), &mut up));
        let confirmation = drain(&mut up);
        done(honest.feed(&confirmation, &mut down, &mut Replays::default()));
        // A second server, or the same one later, answers the first message: it is genuine. Its own
        // ephemeral key is new, and the old confirmation does not fit.
        let mut answer = Outbox::default();
        let replayed = more(server(&psk('a')).feed(&first, &mut answer, &mut Replays::default()));
        assert!(!answer.is_empty());
        let error = failed(replayed.feed(&confirmation, &mut answer, &mut Replays::default()));
        assert_eq!(error, ProtocolError::Unauthenticated);
    }
}

#[test]
fn a_handshake_stops_at_any_altered_bit() {
    for suite in SUITES {
        let (_, mut up) = client(suite, &psk('a'));
        let first = drain(&mut up);
        for bit in 0..first.len() * 8 {
            let mut down = Outbox::default();
            let altered = with_bit(&first, bit);
            let step = server(&psk('a')).feed(&altered, &mut down, &mut Replays::default());
            assert!(step.map_or(true, |step| matches!(step, Step::More(_))));
            let other_version = bit / 8 == 4;
            assert_eq!(down.len(), if other_version { PREAMBLE_BYTES } else { 0 }, "bit {bit}");
        }
        let mut down = Outbox::default();
        more(server(&psk('a')).feed(&first, &mut down, &mut Replays::default()));
        let answer = drain(&mut down);
        for bit in 0..answer.len() * 8 {
            // A client is used up by an error, so that each bit needs its own handshake.
            let (client_side, mut up) = client(suite, &psk('a'));
            let mut down = Outbox::default();
            more(server(&psk('a')).feed(&drain(&mut up), &mut down, &mut Replays::default()));
            let altered = with_bit(&drain(&mut down), bit);
            let step = client_side.feed(&altered, &mut up);
            assert!(step.map_or(true, |step| matches!(step, Step::More(_))));
            assert!(up.is_empty(), "bit {bit} was confirmed");
        }
    }
}

#[test]
fn a_flipped_bit_in_a_sealed_stream_ends_it() {
    for suite in SEALED {
        let (mut client, _) = connect(suite);
        let bits = requests(&mut client).len() * 8;
        for bit in 0..bits {
            let (mut client, mut server) = connect(suite);
            let altered = with_bit(&requests(&mut client), bit);
            let outcome = server.feed(&altered).and_then(|()| {
                // The bit made a length longer: the record fails once that much has come.
                server.feed(&filler(&mut client))
            });
            assert!(outcome.is_err(), "bit {bit} went unnoticed");
            // A record before the altered one is genuine, and may be delivered.
            let calls = std::iter::from_fn(|| server.poll()).count();
            assert!(calls <= bit / (bits / 2), "bit {bit} brought a request");
        }
    }
}

#[test]
fn a_flipped_bit_in_a_sealed_answer_ends_it() {
    for suite in SEALED {
        let (_, _, answer) = answered(suite);
        for bit in 0..answer.len() * 8 {
            let (mut client, mut server, answer) = answered(suite);
            let outcome = client.feed(&with_bit(&answer, bit)).and_then(|()| {
                server.respond(1, vec![0; 70_000].into(), false)?;
                client.feed(&drain(&mut server.outbox))
            });
            assert!(outcome.is_err(), "bit {bit} went unnoticed");
            let events = std::iter::from_fn(|| client.poll(1)).count();
            assert!(
                events <= usize::from(bit / 8 >= ACK_RECORD_BYTES),
                "bit {bit} brought an event"
            );
        }
    }
}

#[test]
fn sealed_records_keep_their_order_and_number() {
    for suite in SEALED {
        let (mut client, mut server) = connect(suite);
        let [first, second, third] = [(); 3].map(|()| request(&mut client));
        server.feed(&first).expect("the first record is the first");
        // Reordered: the third before the second.
        assert_eq!(server.feed(&third), Err(ProtocolError::Unauthenticated));
        assert_eq!(std::iter::from_fn(|| server.poll()).count(), 1);
        drop(second);

        let (mut client, mut server) = connect(suite);
        let first = request(&mut client);
        server.feed(&first).expect("the first record is the first");
        assert_eq!(server.feed(&first), Err(ProtocolError::Unauthenticated), "a repeated record");

        let (mut client, _) = connect(suite);
        let own = request(&mut client);
        assert_eq!(client.feed(&own), Err(ProtocolError::Unauthenticated), "a reflected record");
    }
}

#[test]
fn a_broken_session_stays_broken() {
    for suite in SUITES {
        let (mut client, mut server) = connect(suite);
        assert!(server.feed(&[0; 64]).is_err());
        assert!(client.feed(&[0; 64]).is_err());
        // Feeding on makes no sense, but must not panic either.
        for _ in 0..3 {
            assert!(server.feed(&[0; 64]).is_err());
            assert!(client.feed(&[0; 64]).is_err());
        }
    }
}

#[test]
fn an_unaltered_answer_arrives() {
    // What the tests above alter does arrive when it is left alone.
    let (mut client, _, answer) = answered(Suite::AesGcm);
    client.feed(&answer).expect("an honest server is understood");
    assert!(matches!(client.poll(1), Some(Event::Accepted)));
    assert!(matches!(client.poll(1), Some(Event::Response { last: false, .. })));
    assert!(client.poll(1).is_none());
}

fn with_bit(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut altered = bytes.to_vec();
    altered[bit / 8] ^= 1 << (bit % 8);
    altered
}

fn request(client: &mut ClientSession) -> Vec<u8> {
    client.call(CallKind::Exec, Want::First, b"argument".to_vec().into()).expect("no buffers");
    drain(&mut client.outbox)
}

/// Two records.
fn requests(client: &mut ClientSession) -> Vec<u8> {
    let mut bytes = request(client);
    bytes.extend(request(client));
    bytes
}

/// More than the longest record.
fn filler(client: &mut ClientSession) -> Vec<u8> {
    let payload = Payload::from(vec![0; 70_000]);
    client.call(CallKind::Exec, Want::Ack, payload).expect("no buffers");
    drain(&mut client.outbox)
}

/// A pair with one call, and the sealed ack and response to it.
fn answered(suite: Suite) -> (ClientSession, ServerSession, Vec<u8>) {
    let (mut client, mut server) = connect(suite);
    client.call(CallKind::Exec, Want::All, Payload::default()).expect("no buffers");
    server.feed(&drain(&mut client.outbox)).expect("an honest client is understood");
    let Some(Request::Call { id, .. }) = server.poll() else { panic!("the call is lost") };
    server.ack(id);
    server.respond(id, b"result".to_vec().into(), false).expect("no buffers");
    let answer = drain(&mut server.outbox);
    (client, server, answer)
}

#[test]
fn a_recorded_first_message_is_answered_once() {
    let mut replays = Replays::default();
    let (_, mut up) = client(Suite::AesGcm, &psk('a'));
    let recorded = drain(&mut up);
    for answers in [true, false, false] {
        let mut down = Outbox::default();
        let outcome = server(&psk('a')).feed(&recorded, &mut down, &mut replays);
        assert_eq!(down.is_empty(), !answers);
        match answers {
            true => drop(more(outcome)),
            false => assert_eq!(failed(outcome), ProtocolError::Replayed),
        }
    }
    // Whoever does not know the token has nobody refused, and is told nothing else than before.
    let (_, mut up) = client(Suite::AesGcm, &psk('b'));
    let wrong = drain(&mut up);
    for _ in 0..2 {
        let outcome = server(&psk('a')).feed(&wrong, &mut Outbox::default(), &mut replays);
        assert_eq!(failed(outcome), ProtocolError::Unauthenticated);
    }
    assert!(server(&psk('b')).feed(&wrong, &mut Outbox::default(), &mut replays).is_ok());
}

#[test]
fn who_is_let_in_without_a_token_depends_on_the_server_alone() {
    let session = |is_open, key: &Psk| {
        let (client, mut up) = client(Suite::AesGcm, key);
        let mut down = Outbox::default();
        let server = server(&psk('a')).open_to_all(is_open);
        let server = more(server.feed(&drain(&mut up), &mut down, &mut Replays::default()));
        done(client.feed(&drain(&mut down), &mut up));
        done(server.feed(&drain(&mut up), &mut down, &mut Replays::default()));
    };
    for (is_open, key) in [(true, psk('a')), (true, Psk::open()), (false, psk('a'))] {
        session(is_open, &key);
    }
    for (is_open, key) in [(false, Psk::open()), (true, psk('b')), (true, Psk::unknown())] {
        let (_, mut up) = client(Suite::AesGcm, &key);
        let mut down = Outbox::default();
        let server = server(&psk('a')).open_to_all(is_open);
        assert_eq!(
            failed(server.feed(&drain(&mut up), &mut down, &mut Replays::default())),
            ProtocolError::Unauthenticated
        );
        assert!(down.is_empty());
    }
}

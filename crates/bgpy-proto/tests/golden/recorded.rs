//! Peers of bgpy 1.0, by what they sent: they know no heads, streams, progress, callbacks and aborts, no answer
//! to a cancel, and not every code.

use bgpy_proto::client::Event;
use bgpy_proto::handshake::Suite;
use bgpy_proto::{
    CallKind, ClientHello, ClientSession, Failure, FailureCode, Id, Outbox, Payload, Replays,
    Request, Room, ServerHello, ServerSession, Want,
};

use crate::handshake::{
    PREAMBLE_BYTES, first_message, generated, noise_pair, read, seal, stateless,
};
use crate::link::{SUITES, done, drain, more, server, start_client};
use crate::message::{head, progress};
use crate::vectors::{Vectors, vectors};

/// What frames of bgpy 1.0 servers begin with.
const ANSWERS: std::ops::RangeInclusive<u8> = 0x41..=0x48;

fn recorded() -> Vectors {
    vectors(include_str!("recorded_1_0.hex"))
}

/// A server and what the client of the vectors has sent to it. The server's ephemeral key is random.
fn with_client(name: &str, suite: Suite) -> ServerSession {
    let recorded = recorded();
    let (mut noise, _) = noise_pair(suite, &recorded);
    let first = first_message(&mut noise, suite, &recorded["client hello"]);
    assert_eq!(first, recorded[&format!("{name} first")], "it is the client's whole message");
    let mut out = Outbox::default();
    let server = more(server(generated()).feed(&first, &mut out, &mut Replays::default()));
    read(&mut noise, &drain(&mut out)[PREAMBLE_BYTES..]);
    let confirmation = seal(&stateless(noise), 0, b"");
    done(server.feed(&confirmation, &mut out, &mut Replays::default()))
}

/// A client and what the server of the vectors has answered to it.
fn with_server(name: &str, suite: Suite) -> ClientSession {
    let recorded = recorded();
    let (mut client, mut noise) = noise_pair(suite, &recorded);
    let first = first_message(&mut client, suite, &recorded["client hello"]);
    read(&mut noise, &first[PREAMBLE_BYTES..]);
    let answer = first_message(&mut noise, suite, &recorded["server hello"]);
    assert_eq!(answer, recorded[&format!("{name} answer")], "it is the server's whole message");
    // The key of a client is random, so the answer to it is another one.
    let (_, mut noise) = noise_pair(suite, &recorded);
    let (client, mut out) = start_client(suite, &generated());
    read(&mut noise, &drain(&mut out)[PREAMBLE_BYTES..]);
    let answer = first_message(&mut noise, suite, &recorded["server hello"]);
    done(client.feed(&answer, &mut out))
}

#[test]
fn hellos_of_1_0_are_understood() {
    for (name, suite) in SUITES {
        let hello = ClientHello {
            client: Id([7; 16]),
            bgpy: "1.0.0".into(),
            python: Some("3.13.1".into()),
            pid: 7,
            goodbye: false,
            calls: false,
            ..ClientHello::default()
        };
        assert_eq!(*with_client(name, suite).client(), hello);
        let hello = ServerHello {
            instance: Id([9; 16]),
            generation: 3,
            bgpy: "1.0.1".into(),
            pid: 9,
            allow_pickle: false,
            debug: false,
            calls: false,
            services: false,
            jobs: false,
            ..ServerHello::default()
        };
        assert_eq!(*with_server(name, suite).server(), hello);
    }
}

#[test]
fn a_client_of_1_0_hears_what_it_knows() {
    let mut server = with_client("clear", Suite::Clear);
    let frames = vectors(include_str!("frame.hex"));
    let calls = ["exec first", "exec all", "exit first"];
    calls.iter().for_each(|name| server.feed(&frames[*name]).expect("it is understood"));
    let ids: Vec<_> = std::iter::from_fn(|| server.poll())
        .map(|request| match request {
            Request::Call { id, head: None, .. } => id,
            request => panic!("it is no call without a head: {request:?}"),
        })
        .collect();
    let one = || Payload::from(b"\x01".to_vec());
    for id in &ids {
        server.progress(*id, &progress());
        assert_eq!(server.callback(*id, one()), Ok(None));
        assert_eq!(server.room(*id), Room::Open);
    }
    assert!(server.outbox.is_empty());
    assert_eq!(server.respond(ids[1], one(), false), Ok(true));
    assert!(ANSWERS.contains(&drain(&mut server.outbox)[0]) && server.ahead() == 0);
    let codes = [
        (FailureCode::Cancelled, FailureCode::Task),
        (FailureCode::Expired, FailureCode::Task),
        (FailureCode::Deadlock, FailureCode::Refused),
    ];
    for (id, (code, told)) in ids.into_iter().zip(codes) {
        assert!(server.fail(id, &Failure::new(code, "it was ended")));
        let bytes = drain(&mut server.outbox);
        assert!(ANSWERS.contains(&bytes[0]));
        let failure = Failure::decode(&bytes[24..]).expect("it is a failure");
        assert_eq!(failure, Failure::new(told, "it was ended"));
    }
    server.say_goodbye();
    assert!(server.outbox.is_empty());
}

#[test]
fn a_server_of_1_0_is_asked_what_it_knows() {
    let mut client = with_server("clear", Suite::Clear);
    let call = |client: &mut ClientSession, want| {
        let id = client.call_headed(CallKind::Exec, want, &head(), b"\x01".to_vec().into());
        (id.expect("it is short"), drain(&mut client.outbox))
    };
    for (id, want) in [(1, Want::Ack), (2, Want::First), (3, Want::All), (4, Want::All)] {
        let (given, bytes) = call(&mut client, want);
        let plain =
            [&[2, want as u8][..], &[0; 6], &[id, 0, 0, 0, 0, 0, 0, 0, 1], &[0; 7], b"\x01"];
        assert_eq!((given, bytes), (id.into(), plain.concat()));
    }
    // What is heard of a stream is credited to no one.
    for seq in 0..200 {
        let response = [&[0x42, 0, 0, 0, seq, 0, 0, 0, 3][..], &[0; 15]].concat();
        client.feed(&response).expect("it may send as fast as it likes");
    }
    assert_eq!(std::iter::from_fn(|| client.poll(3)).count(), 200);
    client.interrupt(3);
    assert!(client.outbox.is_empty());
    client.feed(&[&[0x44, 0, 0, 0, 0, 0, 0, 0, 3][..], &[0; 15]].concat()).expect("it ends");
    assert!(matches!(client.poll(3), Some(Event::Ended { .. })));
    client.abandon(4);
    assert_eq!(drain(&mut client.outbox), [&[4, 0, 0, 0, 0, 0, 0, 0, 4][..], &[0; 15]].concat());
    let callback = [&[0x4c, 0, 0, 0, 0, 0, 0, 0, 2][..], &[0; 15]].concat();
    assert!(client.feed(&callback).is_err(), "it would take no reply");
}

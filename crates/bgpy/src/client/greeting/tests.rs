//! The handshake, without sockets.

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
        is_known: suite == Suite::Clear,
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
    for (answer, is_other) in [(&b"HTTP/1.0 200 OK\r\n"[..], true), (b"bgpy", false), (b"", false)]
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
            let Action::Receive { until: Some(until) } = greeting.next() else {
                panic!("the silence has a limit");
            };
            assert!(until > clock::now() + SILENCE / 2);
            let silent = greeting.late().unwrap_err();
            assert!(matches!(silent, ConnectError::Silent { after: Some(_), .. }), "{silent}");
        }
    }
}

#[test]
fn a_server_that_is_known_may_take_its_time() {
    for was_proven in [true, false] {
        let (mut greeting, _) = greeting(Suite::AesGcm);
        (greeting.key.was_proven, greeting.key.is_known) = (was_proven, !was_proven);
        dial(&mut greeting);
        greeting.late().unwrap();
        dial(&mut greeting);
        greeting.received(b"").unwrap();
        assert!(matches!(greeting.next(), Action::Receive { until: None }));
    }
}

#[test]
fn what_resets_every_connection_is_no_server() {
    for is_there in [true, false] {
        let (mut greeting, _) = greeting(Suite::AesGcm);
        for _ in 0..2 {
            dial(&mut greeting);
            greeting.cut().unwrap();
            assert!(matches!(greeting.next(), Action::Pause(_)));
        }
        dial(&mut greeting);
        greeting.cut().unwrap();
        dial(&mut greeting);
        if is_there {
            greeting.received(b"bgpy").unwrap();
            assert!(matches!(greeting.next(), Action::Pause(_)));
            dial(&mut greeting);
            assert!(matches!(greeting.cut(), Err(ConnectError::Cut { .. })));
        } else {
            let silent = greeting.cut().unwrap_err();
            assert!(matches!(silent, ConnectError::Silent { after: None, .. }), "{silent}");
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

//! What a client makes of servers that hold the token and break every other rule.

mod support;

use std::io::{self, Read, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bgpy::error::Lost;
use bgpy::{CallError, ConnectError, State, Status, Value, Wait};
use bgpy_proto::{ProtocolError, Request};
use socket2::SockRef;
use support::fake::{Fake, Host, id_of, in_time};
use support::{call, limit, payload};

fn a_status() -> Status {
    Status {
        state: State::Ready,
        task: None,
        busy_s: None,
        queue: 0,
        calls: 0,
        clients: 1,
        uptime_s: 0.0,
        cpu_s: None,
        pid: 1,
        rss_bytes: None,
        name: None,
        call: None,
        progress: None,
    }
}

/// How a call to a server ends that treats it like this.
fn lost(treat: impl FnMut(Host, Request) + Send + 'static) -> Lost {
    let server = Fake::shaken(treat);
    let error = call(&server.client(), 1_u64).unwrap_err();
    server.thread.join().unwrap();
    match error {
        CallError::Lost { reason, .. } => reason,
        error => panic!("{error}"),
    }
}

#[test]
fn answers_that_fit_nothing_end_the_connection() {
    let malformed = |treat: fn(Host, Request)| {
        let reason = lost(treat);
        assert!(matches!(reason, Lost::Protocol(ProtocolError::Malformed(_))), "{reason}");
    };
    // To a call that was never made.
    malformed(|mut host, request| {
        host.session.status(id_of(&request) + 1, &a_status());
        host.flush();
        host.note_gone();
    });
    malformed(|mut host, _| {
        host.session.status(0, &a_status());
        host.flush();
        host.note_gone();
    });
    // To a call as if it had been something else.
    malformed(|mut host, request| {
        host.session.status(id_of(&request), &a_status());
        host.flush();
        host.note_gone();
    });
}

#[test]
fn bytes_that_are_no_records_end_the_connection() {
    let cases: [(&[u8], ProtocolError); 3] = [
        (&[0; 32], ProtocolError::Malformed("a record that is empty or has no room for its tag")),
        (
            &[17, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
            ProtocolError::Unauthenticated,
        ),
        (b"\x1e\x00HTTP/1.1 400 Bad Request\r\n\r\n\r\n\r\n", ProtocolError::Unauthenticated),
    ];
    for (bytes, expected) in cases {
        let reason = lost(move |mut host, _| {
            host.stream.write_all(bytes).unwrap();
            host.note_gone();
        });
        assert_eq!(reason, Lost::Protocol(expected));
    }
}

#[test]
fn an_end_in_the_middle_of_a_response_is_a_lost_connection() {
    for by_reset in [false, true] {
        let reason = lost(move |mut host, request| {
            let large = Value::Bytes(vec![1; 1 << 20]);
            assert!(host.session.respond(id_of(&request), payload(large), false).unwrap());
            let bytes = host.take();
            host.stream.write_all(&bytes[..bytes.len() / 2]).unwrap();
            if by_reset {
                SockRef::from(&host.stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
        });
        let reset = Lost::Io(io::ErrorKind::ConnectionReset);
        assert!(reason == Lost::Closed || (by_reset && reason == reset), "{reason}");
    }
}

#[test]
fn a_connection_that_was_lost_is_opened_anew() {
    let server = Fake::raw(|stream, token, number| {
        let mut host = Host::new(stream, token);
        let request = host.request().unwrap();
        if number == 1 {
            let id = id_of(&request);
            assert!(host.session.respond(id, payload(2_u64), false).unwrap());
            host.flush();
            host.note_gone();
        }
        number == 1
    });
    let client = server.client();
    assert!(matches!(call(&client, 1_u64), Err(CallError::Lost { .. })));
    assert_eq!(call(&client, 1_u64).unwrap(), Value::Int(2));
    drop(client);
    server.thread.join().unwrap();
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let (over, is_over) = mpsc::channel::<()>();
    let server = Fake::shaken(move |mut host, _| {
        let _ = is_over.recv();
        host.flush();
    });
    let client = server.client();
    let wait = Wait::new(None, &|| true);
    let interrupted = in_time(|| client.call(payload(1_u64), &wait)).unwrap_err();
    assert!(matches!(interrupted, CallError::Interrupted), "{interrupted}");
    let wait = Wait::at_most(Duration::from_millis(200));
    let late = in_time(|| client.call(payload(1_u64), &wait)).unwrap_err();
    assert!(matches!(late, CallError::Timeout { accepted: false, .. }), "{late}");
    // It has not answered a ping either, and the next call does without the connection.
    assert!(client.current(Instant::now()).is_none());
    drop(over);
    server.thread.join().unwrap();
}

#[test]
fn a_server_that_does_not_read_is_given_up() {
    let (over, is_over) = mpsc::channel::<()>();
    let server = Fake::raw(move |stream, token, _| {
        let host = Host::new(stream, token);
        let _ = is_over.recv();
        drop(host);
        true
    });
    let client = server.client();
    let large = payload(Value::Bytes(vec![1; 64 << 20]));
    let wait = Wait::at_most(Duration::from_millis(200));
    let late = in_time(|| client.call(large, &wait)).unwrap_err();
    assert!(matches!(late, CallError::Timeout { accepted: false, .. }), "{late}");
    // Half a message is out, so that nothing else can follow on this connection.
    assert!(client.current(Instant::now()).is_none());
    drop(over);
    server.thread.join().unwrap();
}

#[test]
fn answers_to_a_call_that_was_given_up_are_ignored() {
    let (late, is_late) = mpsc::channel::<()>();
    let server = Fake::shaken(move |mut host, request| {
        let _ = is_late.recv();
        let id = id_of(&request);
        assert!(host.session.respond(id, payload(1_u64), false).unwrap());
        host.flush();
        while let Some(request) = host.request() {
            if let Request::Call { id, .. } = request {
                assert!(host.session.respond(id, payload(2_u64), false).unwrap());
                host.flush();
            }
        }
    });
    let client = server.client();
    let wait = Wait::at_most(Duration::from_millis(50));
    assert!(matches!(client.call(payload(1_u64), &wait), Err(CallError::Timeout { .. })));
    drop(late);
    assert_eq!(call(&client, 1_u64).unwrap(), Value::Int(2));
    drop(client);
    server.thread.join().unwrap();
}

/// The pace is that of `PING_AFTER_MS` and `SILENCE_MS`, so that this test takes half a minute.
#[test]
fn a_server_that_falls_silent_for_good_is_given_up_without_a_limit() {
    let (over, is_over) = mpsc::channel::<()>();
    let server = Fake::shaken(move |mut host, request| {
        assert!(matches!(request, Request::Call { .. }));
        let _ = is_over.recv();
        // It was asked for a sign of life, once.
        let mut buffer = [0; 4096];
        assert_eq!(host.stream.read(&mut buffer).unwrap(), 2 + 24 + 16);
    });
    let client = server.client();
    let lost = client.call(payload(1_u64), &Wait::forever()).unwrap_err();
    assert!(matches!(lost, CallError::Lost { reason: Lost::Silent(_), .. }), "{lost}");
    drop(over);
    server.thread.join().unwrap();
    assert!(matches!(
        client.ping(&limit()),
        Err(CallError::Connect(ConnectError::NotRunning { .. }))
    ));
}

#[test]
fn a_server_that_answers_pings_is_waited_for() {
    let server = Fake::shaken(move |mut host, request| {
        let id = id_of(&request);
        // Reading answers the ping, which comes when the client has heard nothing for a while.
        let mut buffer = [0; 4096];
        let count = host.stream.read(&mut buffer).unwrap();
        host.session.feed(&buffer[..count]).unwrap();
        host.flush();
        assert!(host.session.respond(id, payload(3_u64), false).unwrap());
        host.flush();
        host.note_gone();
    });
    let client = server.client();
    let response = client.call(payload(1_u64), &Wait::forever()).unwrap();
    assert_eq!(response.message.value().unwrap(), Value::Int(3));
    drop(client);
    server.thread.join().unwrap();
}

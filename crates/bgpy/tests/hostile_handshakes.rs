//! What a client makes of a server, or of another program, that breaks the rules of the handshake.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use bgpy::{CallError, ConnectError, Wait};
use bgpy_proto::ProtocolError;
use socket2::SockRef;
use support::fake::{Fake, Host, id_of, in_time};
use support::{call, limit, payload};

#[test]
fn a_server_that_does_not_shake_hands_is_given_up() {
    let (over, is_over) = mpsc::channel::<()>();
    let server = Fake::raw(move |_stream, _, _| {
        // The connection is open and silent until the test is over.
        let _ = is_over.recv();
        true
    });
    let wait = Wait::at_most(Duration::from_millis(200));
    let late = in_time(|| server.client().ping(&wait)).unwrap_err();
    assert!(matches!(late, CallError::Connect(ConnectError::Timeout { .. })), "{late}");
    let interrupted = in_time(|| server.client().ping(&Wait::new(None, &|| true))).unwrap_err();
    assert!(matches!(interrupted, CallError::Connect(ConnectError::Interrupted)), "{interrupted}");
    drop(over);
    server.thread.join().unwrap();
}

#[test]
fn what_is_no_handshake_is_told_apart() {
    let refused = |treat: fn(&mut TcpStream)| {
        let server = Fake::raw(move |mut stream, _, _| {
            let mut buffer = [0; 4096];
            let count = stream.read(&mut buffer).unwrap();
            assert_ne!(count, 0);
            treat(&mut stream);
            true
        });
        let error = in_time(|| server.client().ping(&limit())).unwrap_err();
        server.thread.join().unwrap();
        match error {
            CallError::Connect(error) => error,
            error => panic!("{error}"),
        }
    };
    let protocol = |error: ConnectError| match error {
        ConnectError::Protocol { source, .. } => source,
        error => panic!("{error}"),
    };
    assert_eq!(
        protocol(refused(|stream| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n").unwrap())),
        ProtocolError::NotBgpy
    );
    assert_eq!(
        protocol(refused(|stream| stream.write_all(b"bgpy\x02\x01\0\0").unwrap())),
        ProtocolError::Version { ours: 1, theirs: 2 }
    );
    assert!(matches!(
        protocol(refused(|stream| stream.write_all(b"bgpy\x01\x03\0\0").unwrap())),
        ProtocolError::Malformed(_)
    ));
    assert!(matches!(
        protocol(refused(|stream| stream.write_all(b"bgpy\x01\x01\0\0\xff\xff").unwrap())),
        ProtocolError::TooLarge { .. }
    ));
    let wrong = refused(|stream| {
        stream.write_all(b"bgpy\x01\x01\0\0\x40\0").unwrap();
        stream.write_all(&[7; 64]).unwrap();
    });
    assert!(matches!(wrong, ConnectError::Auth { token: true, .. }), "{wrong}");
}

type Way = fn(&mut TcpStream);

/// What a client makes of a server that treats its connections so, one after the other; the last way is for
/// all that follow.
fn reached(ways: &'static [Way]) -> Result<(), ConnectError> {
    let (over, is_over) = mpsc::channel::<()>();
    let server = Fake::raw(move |mut stream, token, number| {
        if is_over.try_recv() != Err(mpsc::TryRecvError::Empty) {
            return true;
        }
        match ways.get(number) {
            Some(way) => {
                assert_ne!(stream.read(&mut [0; 4096]).unwrap(), 0);
                way(&mut stream);
                false
            }
            None => {
                let mut host = Host::new(stream, token);
                let request = host.request().expect("a request");
                assert!(host.session.respond(id_of(&request), payload(1_u64), false).unwrap());
                host.flush();
                host.note_gone();
                true
            }
        }
    });
    let outcome = in_time(|| call(&server.client(), 1_u64).map(drop));
    drop(over);
    // It may have ended, and may wait for one that does not come.
    drop(TcpStream::connect(("127.0.0.1", server.address.port)));
    server.thread.join().unwrap();
    outcome.map_err(|error| match error {
        CallError::Connect(error) => error,
        error => panic!("{error}"),
    })
}

/// Closes a connection without having read all of it, so that it is reset.
fn reset(stream: &mut TcpStream) {
    SockRef::from(&*stream).set_linger(Some(Duration::ZERO)).unwrap();
}

fn close(_: &mut TcpStream) {}

/// Answers as every server does that is asked in another version.
fn answer(stream: &mut TcpStream) {
    stream.write_all(b"bgpy\x01\x01\0\0").unwrap();
}

#[test]
fn a_handshake_that_is_cut_is_tried_again() {
    let passing: [&[Way]; 6] =
        [&[], &[close], &[reset], &[reset, reset], &[reset, close], &[close, close, answer]];
    for ways in passing {
        reached(ways).unwrap();
    }
    let error = reached(&[reset, reset, reset, answer, reset]).unwrap_err();
    assert!(matches!(error, ConnectError::Cut { .. }), "{error}");
    let silent: [&[Way]; 3] =
        [&[close, close, close], &[reset, reset, reset, reset], &[close, reset, close, reset]];
    for ways in silent {
        let error = reached(ways).unwrap_err();
        assert!(matches!(error, ConnectError::Silent { .. }), "{error}");
    }
}

#[test]
fn only_a_server_that_answers_other_things_has_refused_the_token() {
    let answered: [&[Way]; 2] =
        [&[close, close, answer, close], &[close, reset, close, answer, close]];
    for ways in answered {
        let error = reached(ways).unwrap_err();
        assert!(matches!(error, ConnectError::Auth { token: true, .. }), "{error}");
    }
}

//! What a client makes of servers that hold the token and break every other rule.

mod support;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bgpy::address::Address;
use bgpy::error::Lost;
use bgpy::{CallError, Client, ClientOptions, ConnectError, State, Status, Token, Value, Wait};
use bgpy_proto::handshake::{ServerHandshake, Step};
use bgpy_proto::{Outbox, ProtocolError, Replays, Request, ServerHello, ServerSession};
use socket2::SockRef;
use support::{LIMIT, call, limit, payload};

/// A server that treats its connections, one after the other, as it is told.
struct Fake {
    address: Address,
    token: Token,
    thread: JoinHandle<()>,
}

/// The server's side of a connection.
struct Host {
    stream: TcpStream,
    session: ServerSession,
}

impl Fake {
    /// `treat` is called with each connection and its number, until it says that it was the last.
    fn raw(mut treat: impl FnMut(TcpStream, &Token, usize) -> bool + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
        let token = Token::generate(32);
        let known = token.clone();
        let thread = thread::spawn(move || {
            for number in 0.. {
                let stream = listener.accept().unwrap().0;
                stream.set_read_timeout(Some(LIMIT)).unwrap();
                if treat(stream, &known, number) {
                    break;
                }
            }
        });
        Self { address, token, thread }
    }

    /// As `raw`, after the handshake and the first request.
    fn shaken(mut treat: impl FnMut(Host, Request) + Send + 'static) -> Self {
        Self::raw(move |stream, token, _| {
            let mut host = Host::new(stream, token);
            let request = host.request().expect("a request");
            treat(host, request);
            true
        })
    }

    fn client(&self) -> Client {
        let options = ClientOptions { token: Some(self.token.clone()), ..ClientOptions::default() };
        Client::new(self.address.clone(), options)
    }
}

impl Host {
    fn new(mut stream: TcpStream, token: &Token) -> Self {
        let mut handshake = ServerHandshake::new(token.psk(), ServerHello::default(), false);
        let mut out = Outbox::default();
        loop {
            let mut buffer = [0; 4096];
            let count = stream.read(&mut buffer).unwrap();
            assert_ne!(count, 0, "the client left");
            match handshake.feed(&buffer[..count], &mut out, &mut Replays::default()).unwrap() {
                Step::Done(session) => return Self { stream, session },
                Step::More(more) => handshake = more,
            }
            while !out.is_empty() {
                let count = stream.write(out.front()).unwrap();
                out.advance(count);
            }
        }
    }

    /// The next request; none when the client has left.
    fn request(&mut self) -> Option<Request> {
        loop {
            if let Some(request) = self.session.poll() {
                return Some(request);
            }
            let mut buffer = [0; 64 << 10];
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.session.feed(&buffer[..count]).unwrap(),
            }
            self.flush();
        }
    }

    /// What waits to be sent; sends nothing.
    fn take(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !self.session.outbox.is_empty() {
            let front = self.session.outbox.front().to_vec();
            self.session.outbox.advance(front.len());
            bytes.extend(front);
        }
        bytes
    }

    fn flush(&mut self) {
        let bytes = self.take();
        // The client may have left.
        let _ = self.stream.write_all(&bytes);
    }

    /// Waits until the client has left.
    fn note_gone(mut self) {
        while self.request().is_some() {}
    }
}

fn id_of(request: &Request) -> u64 {
    match request {
        Request::Call { id, .. }
        | Request::Cancel { id, .. }
        | Request::Credit { id }
        | Request::CallbackReply { id, .. }
        | Request::Abort { id, .. }
        | Request::Status { id }
        | Request::Log { id, .. }
        | Request::Debug { id, .. } => *id,
    }
}

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

/// Each limit of time is generous here: what matters is that there is one.
fn in_time<T>(act: impl FnOnce() -> T) -> T {
    let since = Instant::now();
    let result = act();
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    result
}

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
    let lasting: [&[Way]; 2] = [&[reset, reset, reset], &[close, close, close, close, close]];
    for ways in lasting {
        let error = reached(ways).unwrap_err();
        assert!(matches!(error, ConnectError::Cut { .. }), "{error}");
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

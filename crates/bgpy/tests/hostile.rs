//! Peers that hold the token and break every other rule, with a well-behaved client beside them.

#![cfg(unix)]

mod support;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use bgpy::limits;
use bgpy::{CallKind, Client, ClientOptions, Executor, FailureCode, Service, State, Value, Want};
use bgpy_proto::handshake::Suite;
use bgpy_proto::{Failure, Frame, Kind};
use socket2::SockRef;
use support::peer::{ACK, ALL, CANCEL, EXEC, FIRST, INIT, LOG, PING, Peer, STATUS};
use support::peer::{exec, frame, ping, sealed, shake_hands, shake_hands_but_confirm};
use support::{LIMIT, Running, Witness, call, limit, payload, until};

/// A list of a number answers with so many bytes, a tuple of one fails with so long a text, and a
/// text waits to be released. Anything else comes back.
fn tasks(held: std::sync::mpsc::Receiver<()>) -> impl Executor {
    let size = |items: &[Value]| items[0].as_u64().unwrap() as usize;
    Service::new(
        |_| Ok(()),
        move |(), value| match value {
            Value::List(items) => Ok(Some(Value::Bytes(vec![7; size(&items)]))),
            Value::Tuple(items) => Err("x".repeat(size(&items))),
            Value::Str(text) => {
                // Nobody holds any more when the test is over.
                let _ = held.recv();
                Ok(Some(Value::Str(text)))
            }
            value => Ok(Some(value)),
        },
    )
}

fn server() -> Running {
    let server = Running::start(tasks);
    assert!(server.client().initialize(payload(Value::Nil), &limit()).unwrap());
    server
}

/// Calls over one connection, and over a new one now and then.
fn caller(server: &Running) -> Witness {
    let (mut client, address, token) =
        (server.client(), server.address.clone(), server.token.clone());
    Witness::new(move |round| {
        if round % 32 == 0 {
            let options = ClientOptions { token: Some(token.clone()), ..Default::default() };
            client = Client::new(address.clone(), options);
        }
        assert_eq!(call(&client, round).unwrap(), Value::from(round));
    })
}

/// Asks for the status, which needs no turn of the tasks.
fn onlooker(server: &Running) -> Witness {
    let client = server.client();
    Witness::new(move |_| assert!(client.status(&limit()).unwrap().clients > 0))
}

/// Nobody is connected any more but the client that looks, and calls are answered.
fn is_as_before(server: &Running) {
    let client = server.client();
    until(&client, "alone", |status| status.clients == 1);
    assert_eq!(call(&client, 1_u64).unwrap(), Value::Int(1));
}

/// Closes a connection with a reset.
fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

fn list(size: u64) -> Value {
    Value::List(vec![Value::from(size)])
}

fn failure(frame: &Frame) -> Failure {
    Failure::decode(&frame.payload.data).unwrap()
}

/// Small, reproducible randomness (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Holds the executing thread with a task; it goes on when the server is told to release it.
fn occupy(server: &Running) -> thread::JoinHandle<()> {
    let client = server.client();
    let waiting = thread::spawn(move || assert_eq!(call(&client, "held").unwrap(), "held".into()));
    until(&server.client(), "busy", |status| status.state == State::Busy);
    waiting
}

#[test]
fn frames_that_break_a_rule_end_their_connection() {
    let with = |mut head: Vec<u8>, rest: Vec<u8>| {
        head.extend(rest);
        head
    };
    let lengths = |lengths: &[u64]| lengths.iter().flat_map(|n| n.to_le_bytes()).collect();
    let mut cases = vec![
        ("a length of 2^63", frame(EXEC, FIRST, 0, 1, 1 << 63)),
        ("a length of 2^64 - 1", frame(EXEC, FIRST, 0, 1, u64::MAX)),
        ("a length above the limit", frame(EXEC, FIRST, 0, 1, limits::MESSAGE_BYTES_MAX + 1)),
        ("a huge ping", frame(PING, 0, 0, 1, 1 << 63)),
        (
            "lengths whose sum overflows",
            with(frame(EXEC, FIRST, 2, 1, 1 << 39), lengths(&[u64::MAX, u64::MAX])),
        ),
        (
            "lengths whose sum is above the limit",
            with(frame(EXEC, FIRST, 2, 1, 0), lengths(&[1 << 39, (1 << 39) + 1])),
        ),
        ("an unknown want", frame(EXEC, 3, 0, 1, 0)),
        ("an unknown flag of a call", frame(EXEC, 0x05, 0, 1, 0)),
        ("an unknown flag of a ping", frame(PING, 0x01, 0, 1, 0)),
        ("a request with id 0", ping(0)),
        ("an id a second time", with(ping(7), ping(7))),
        ("an id that is smaller", with(ping(7), ping(6))),
        ("an id below that of a call", with(exec(FIRST, 9, 1_u64), frame(STATUS, 0, 0, 8, 0))),
        ("an id after the last", with(ping(u64::MAX), ping(1))),
        ("a log request without data", frame(LOG, 0, 0, 1, 0)),
        ("a log request that is no map", with(frame(LOG, 0, 0, 1, 1), vec![0xc0])),
        (
            "a log request of another type",
            with(frame(LOG, 0, 0, 1, 8), b"\x81\xa5lines\xff".to_vec()),
        ),
        ("a log request that is too long", with(frame(LOG, 0, 0, 1, 2000), vec![0x80; 2000])),
    ];
    let unknown = [0x00, 0x07, 0x3f, 0x40, 0x47, 0x7f, 0x80, 0xff];
    cases.extend(unknown.map(|kind| ("an unknown kind", frame(kind, 0, 0, 1, 0))));
    let of_servers = [0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x48];
    cases.extend(of_servers.map(|kind| ("a kind that only servers send", frame(kind, 0, 0, 1, 0))));

    let server = server();
    let good = caller(&server);
    for (what, bytes) in cases {
        for before in [0, 3] {
            // Also behind calls that are under way.
            let mut peer = Peer::new(&server);
            let ahead: Vec<u8> = (0..before).flat_map(|_| frame(CANCEL, 0, 0, 99, 0)).collect();
            peer.send(&with(ahead, bytes.clone()));
            assert!(peer.is_ended(), "{what}");
        }
    }
    good.finish();
    is_as_before(&server);
}

#[test]
fn records_that_do_not_open_end_their_connection() {
    let server = server();
    let good = caller(&server);
    type Spoil = fn(Vec<u8>) -> Vec<u8>;
    let cases: [(&str, Spoil); 8] = [
        ("an altered byte", |mut record| {
            record[9] ^= 1;
            record
        }),
        ("an altered tag", |mut record| {
            *record.last_mut().unwrap() ^= 0x80;
            record
        }),
        ("a record twice", |record| [record.clone(), record].concat()),
        ("an empty record", |_| vec![0, 0]),
        ("a record of a tag", |_| [&16_u16.to_le_bytes()[..], &[0; 16]].concat()),
        ("a record of zeros", |_| [&[0xff, 0xff][..], &[0; 0xffff]].concat()),
        ("a frame in the clear", |_| ping(1)),
        ("a shorter length", |mut record| {
            record[0] -= 1;
            record
        }),
    ];
    for (what, spoil) in cases {
        for suite in [Suite::AesGcm, Suite::ChaChaPoly] {
            let (mut stream, mut session) = sealed(&server, suite);
            session.ping();
            let record = session.outbox.front().to_vec();
            // A server that has seen enough may reset while the rest is being written.
            drop(stream.write_all(&spoil(record)));
            let end = io::copy(&mut stream, &mut io::sink());
            let reset = |error: io::Error| error.kind() == io::ErrorKind::ConnectionReset;
            assert!(end.map_or_else(reset, |_| true), "{what}");
        }
    }
    good.finish();
    is_as_before(&server);
}

#[test]
fn nothing_but_a_unix_socket_is_in_the_clear() {
    let server = server();
    let mut stream = TcpStream::connect(("127.0.0.1", server.address.port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    assert!(shake_hands(&mut stream, Suite::Clear, &server.token.psk()).is_err());
    is_as_before(&server);
}

/// Whoever has shown that it may know the token does not make room for those who say nothing.
#[test]
fn a_handshake_under_way_is_kept_before_a_crowd_of_silent_peers() {
    let server = server();
    let good = onlooker(&server);
    let mut late = UnixStream::connect(&server.socket).unwrap();
    late.set_read_timeout(Some(LIMIT)).unwrap();
    let (mut session, confirmation) =
        shake_hands_but_confirm(&mut late, Suite::Clear, &server.token.psk()).unwrap();
    let connect = |_| UnixStream::connect(&server.socket).unwrap();
    let mut crowd: Vec<_> = (0..limits::HANDSHAKES_MAX + 200).map(connect).collect();
    // The first ones of the crowd had to go.
    crowd[0].set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(crowd[0].read(&mut [0]).unwrap(), 0);
    let ping = session.ping();
    late.write_all(&confirmation).unwrap();
    late.write_all(session.outbox.front()).unwrap();
    while session.poll(ping).is_none() {
        let mut buffer = [0; 4096];
        let count = late.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "it had to make room");
        session.feed(&buffer[..count]).unwrap();
    }
    drop((late, crowd));
    good.finish();
    is_as_before(&server);
}

#[test]
fn cancels_of_unknown_calls_are_ignored() {
    let server = server();
    let mut peer = Peer::new(&server);
    for (round, id) in [0, 1, 5, u64::MAX, 1 << 63].into_iter().enumerate() {
        peer.send(&frame(CANCEL, 0, 0, id, 0));
        let next = round as u64 + 10;
        peer.send(&ping(next));
        peer.expect(Kind::Pong, next);
    }
    peer.send(&exec(FIRST, 20, 3_u64));
    let response = peer.expect(Kind::Response, 20);
    assert_eq!(Value::decode(&response.payload.data).unwrap(), Value::Int(3));
    // One that is over.
    peer.send(&frame(CANCEL, 0, 0, 20, 0));
    peer.send(&ping(21));
    peer.expect(Kind::Pong, 21);
    drop(peer);
    is_as_before(&server);
}

#[test]
fn cancelled_calls_do_not_run_and_give_their_room_back() {
    let server = server();
    let waiting = occupy(&server);
    let looker = server.client();
    let calls = looker.status(&limit()).unwrap().calls;
    let mut peer = Peer::new(&server);
    for id in 1..=100 {
        peer.send(&exec(ALL, id, list(1)));
    }
    until(&looker, "queued", |status| status.queue == 100);
    for id in (1..=100).rev() {
        peer.send(&frame(CANCEL, 0, 0, id, 0));
        // A second time, and one that was never made.
        peer.send(&frame(CANCEL, 0, 0, id, 0));
    }
    until(&looker, "empty", |status| status.queue == 0);
    server.release();
    waiting.join().unwrap();
    until(&looker, "idle", |status| status.state == State::Ready);
    assert_eq!(looker.status(&limit()).unwrap().calls, calls + 1);
    drop((peer, looker));
    is_as_before(&server);
}

#[test]
fn calls_that_are_refused_and_cancelled_in_one_breath() {
    let server = Running::start(tasks);
    let looker = server.client();
    let mut peer = Peer::new(&server);
    // The server has no tasks yet, so that it refuses the calls whose cancels come with them.
    let bytes: Vec<u8> = (1..=50)
        .flat_map(|id| [exec(FIRST, id, 1_u64), frame(CANCEL, 0, 0, id, 0)].concat())
        .collect();
    peer.send(&bytes);
    peer.send(&ping(100));
    while peer.receive().expect("the connection lives").kind != Kind::Pong {}
    let status = looker.status(&limit()).unwrap();
    assert_eq!((status.state, status.queue), (State::Uninitialized, 0));
    assert!(looker.initialize(payload(Value::Nil), &limit()).unwrap());
    assert_eq!(call(&looker, 5_u64).unwrap(), Value::Int(5));
    assert_eq!(looker.status(&limit()).unwrap().queue, 0);
    drop((peer, looker));
    is_as_before(&server);
}

#[test]
fn calls_that_were_taken_back_keep_nobody_else_out() {
    const BURST: u64 = 1000;
    let server = server();
    let waiting = occupy(&server);
    let mut peer = Peer::new(&server);
    let mut reader = peer.reader();
    let acks = thread::spawn(move || while reader.receive().is_some() {});
    for burst in 0..=limits::QUEUE_CALLS_MAX as u64 / BURST {
        let ids = burst * BURST + 1..=(burst + 1) * BURST;
        let calls = ids.clone().flat_map(|id| exec(FIRST, id, id));
        let cancels = ids.flat_map(|id| frame(CANCEL, 0, 0, id, 0));
        let bytes: Vec<u8> = calls.chain(cancels).collect();
        peer.send(&bytes);
    }
    let other = server.client();
    until(&other, "empty", |status| status.queue == 0);
    // More than may wait have been taken back while the task runs.
    other.execute(payload(1_u64), &limit()).unwrap();
    assert_eq!(other.status(&limit()).unwrap().queue, 1);
    server.release();
    waiting.join().unwrap();
    peer.stream.shutdown(std::net::Shutdown::Both).unwrap();
    acks.join().unwrap();
    drop((peer, other));
    is_as_before(&server);
}

#[test]
fn messages_that_are_no_messages_fail_their_calls_only() {
    let server = server();
    let good = caller(&server);
    let mut peer = Peer::new(&server);
    let bodies: [Vec<u8>; 9] = [
        vec![],
        vec![0xc1],
        // Arrays and maps of 2^32 - 1 items, a text and bytes of as many bytes.
        vec![0xdd, 0xff, 0xff, 0xff, 0xff],
        vec![0xdf, 0xff, 0xff, 0xff, 0xff],
        vec![0xdb, 0xff, 0xff, 0xff, 0xff, b'x'],
        vec![0xc6, 0xff, 0xff, 0xff, 0xff, 0],
        vec![0x91; 1 << 20],
        vec![0x01, 0x02],
        vec![0xa1, 0xff],
    ];
    let mut id = 0;
    for body in &bodies {
        for want in [FIRST, ALL] {
            id += 1;
            peer.send(&frame(EXEC, want, 0, id, body.len() as u64));
            peer.send(body);
            let failed = failure(&peer.expect(Kind::Error, id));
            assert_eq!(failed.code, FailureCode::Serialization, "{failed}");
        }
    }
    id += 1;
    peer.send(&ping(id));
    peer.expect(Kind::Pong, id);
    drop(peer);
    good.finish();
    is_as_before(&server);
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    let server = server();
    let mut peer = Peer::new(&server);
    let bytes: Vec<u8> = (1..=20).flat_map(|id| exec(FIRST, id, id)).collect();
    for byte in &bytes {
        peer.send(std::slice::from_ref(byte));
    }
    for id in 1..=20 {
        peer.expect(Kind::Response, id);
    }
    // A set of as many buffers as a frame can name, all of them empty.
    let items = b"\xd4\x05\x01".repeat(u16::MAX.into());
    let mut data = b"\xc9".to_vec();
    data.extend((items.len() as u32).to_be_bytes());
    data.push(10);
    data.extend(items);
    let mut many = frame(EXEC, FIRST, u16::MAX, 21, data.len() as u64);
    many.extend(vec![0; usize::from(u16::MAX) * 8]);
    many.extend(data);
    peer.send(&many);
    peer.expect(Kind::Response, 21);
    drop(peer);
    is_as_before(&server);
}

#[test]
fn announced_bytes_that_never_come_take_no_memory_and_no_time() {
    let server = server();
    let good = caller(&server);
    let mut peers: Vec<_> = (0..64).map(|_| Peer::new(&server)).collect();
    for peer in &mut peers {
        peer.send(&frame(EXEC, FIRST, 0, 1, limits::MESSAGE_BYTES_MAX));
        peer.send(&[1]);
    }
    let looker = server.client();
    assert!(looker.status(&limit()).unwrap().clients >= 64);
    assert_eq!(call(&looker, 3_u64).unwrap(), Value::Int(3));
    drop((peers, looker));
    good.finish();
    is_as_before(&server);
}

/// What a peer has sent lies before its end. A server that looks for the end only when it is told
/// of something new must not miss it.
#[test]
fn a_peer_that_leaves_right_after_its_last_bytes_is_noticed() {
    let server = server();
    let good = onlooker(&server);
    let whole = exec(FIRST, 1, list(10));
    let last_words = [
        whole[..1].to_vec(),
        whole[..24].to_vec(),
        whole[..26].to_vec(),
        frame(CANCEL, 0, 0, 9, 0),
    ];
    for round in 0..100 {
        for bytes in &last_words {
            let mut peer = Peer::new(&server);
            if round % 2 == 0 {
                // The handshake is behind it, so that only these bytes and the end follow.
                peer.send(&ping(1));
                peer.expect(Kind::Pong, 1);
            }
            peer.send(bytes);
        }
    }
    good.finish();
    is_as_before(&server);
}

#[test]
fn half_a_frame_then_a_reset() {
    let server = server();
    let good = caller(&server);
    for round in 0..100 {
        let (mut stream, mut session) = sealed(&server, Suite::AesGcm);
        session.call(CallKind::Exec, Want::First, payload(1_u64)).unwrap();
        let record = session.outbox.front();
        stream.write_all(&record[..round % record.len()]).unwrap();
        reset(stream);
    }
    good.finish();
    is_as_before(&server);
}

#[test]
fn a_reset_in_the_middle_of_a_large_response() {
    let server = server();
    let good = caller(&server);
    let mut buffer = vec![0; 1 << 20];
    for _ in 0..8 {
        let mut peer = Peer::new(&server);
        peer.send(&exec(FIRST, 1, list(24 << 20)));
        peer.stream.read_exact(&mut buffer).unwrap();
        drop(peer);
        let (mut stream, mut session) = sealed(&server, Suite::AesGcm);
        session.call(CallKind::Exec, Want::First, payload(list(24 << 20))).unwrap();
        stream.write_all(session.outbox.front()).unwrap();
        stream.read_exact(&mut buffer).unwrap();
        reset(stream);
    }
    good.finish();
    is_as_before(&server);
}

/// Sends requests until the server takes no more of them, and returns how many bytes it took.
fn flood(server: &Running, peer: &mut Peer, request: impl Fn(u64) -> Vec<u8>) -> u64 {
    const ENOUGH: u64 = 256 << 20;
    let looker = server.client();
    peer.stream.set_nonblocking(true).unwrap();
    let (mut sent, mut id, mut looks) = (0, 0, 0);
    let mut bytes = Vec::new();
    // Each look is a turn of the server, in which it would have read what it wants to read.
    while looks < 200 && sent < ENOUGH {
        if bytes.is_empty() {
            bytes = (0..1000)
                .flat_map(|_| {
                    id += 1;
                    request(id)
                })
                .collect();
        }
        match peer.stream.write(&bytes) {
            Ok(count) => {
                bytes.drain(..count);
                sent += count as u64;
                looks = 0;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                looker.ping(&limit()).unwrap();
                looks += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    peer.stream.set_nonblocking(false).unwrap();
    sent
}

#[test]
fn requests_of_a_peer_that_reads_nothing_are_not_read_either() {
    for kind in [PING, STATUS] {
        let server = server();
        let good = caller(&server);
        let mut peer = Peer::new(&server);
        let sent = flood(&server, &mut peer, |id| frame(kind, 0, 0, id, 0));
        assert!(sent < 8 << 20, "{sent} bytes of requests were taken, and no answer was read");
        // It goes on where it stopped as soon as the answers are read, and none is missing.
        let answer = if kind == PING { Kind::Pong } else { Kind::StatusReply };
        for id in 1..=sent / 24 {
            peer.expect(answer, id);
        }
        drop(peer);
        good.finish();
        is_as_before(&server);
    }
}

#[test]
fn calls_that_are_refused_cost_no_more_than_others() {
    // Refusals are answers as well, longer than their calls.
    let server = server();
    let waiting = occupy(&server);
    let good = onlooker(&server);
    let mut peer = Peer::new(&server);
    let sent = flood(&server, &mut peer, |id| exec(FIRST, id, 1_u64));
    assert!(sent < 16 << 20, "{sent} bytes of calls were taken, and no answer was read");
    drop(peer);
    good.finish();
    server.release();
    waiting.join().unwrap();
    until(&server.client(), "idle", |status| status.state == State::Ready);
    is_as_before(&server);
}

/// Counts the answers to so many calls: accepted, and refused as too many.
fn count_answers(peer: &Peer, calls: usize) -> thread::JoinHandle<(usize, usize)> {
    let mut reader = peer.reader();
    thread::spawn(move || {
        let (mut accepted, mut refused) = (0, 0);
        while accepted + refused < calls {
            let frame = reader.receive().expect("the connection lives");
            match frame.kind {
                Kind::Ack => accepted += 1,
                _ => {
                    let failed = failure(&frame);
                    assert_eq!(failed.code, FailureCode::Overloaded, "{failed}");
                    refused += 1;
                }
            }
        }
        (accepted, refused)
    })
}

#[test]
fn the_open_calls_of_a_connection_are_bounded() {
    const CALLS: usize = 70_000;
    let server = server();
    let waiting = occupy(&server);
    let good = onlooker(&server);
    let mut peer = Peer::new(&server);
    let answers = count_answers(&peer, CALLS);
    let calls: Vec<u8> = (1..=CALLS as u64).flat_map(|id| exec(FIRST, id, id)).collect();
    peer.send(&calls);
    let (accepted, refused) = answers.join().unwrap();
    assert_eq!(accepted, limits::CALLS_PER_CONNECTION_MAX);
    assert_eq!(refused, CALLS - limits::CALLS_PER_CONNECTION_MAX);
    // Others are taken still.
    let other = server.client();
    other.execute(payload(1_u64), &limit()).unwrap();
    good.finish();
    server.release();
    waiting.join().unwrap();
    for id in 1..=limits::CALLS_PER_CONNECTION_MAX as u64 {
        let response = peer.expect(Kind::Response, id);
        assert_eq!(Value::decode(&response.payload.data).unwrap(), Value::from(id));
    }
    // There is room again.
    peer.send(&exec(FIRST, 1 << 20, 1_u64));
    peer.expect(Kind::Response, 1 << 20);
    drop((peer, other));
    is_as_before(&server);
}

#[test]
fn the_calls_that_wait_are_bounded_over_all_connections() {
    const CALLS: usize = limits::QUEUE_CALLS_MAX + 500;
    let server = server();
    let waiting = occupy(&server);
    let good = onlooker(&server);
    let mut peer = Peer::new(&server);
    let answers = count_answers(&peer, CALLS);
    let calls: Vec<u8> = (1..=CALLS as u64).flat_map(|id| exec(ACK, id, id)).collect();
    peer.send(&calls);
    assert_eq!(answers.join().unwrap(), (limits::QUEUE_CALLS_MAX, 500));
    let other = server.client();
    let refused = call(&other, 1_u64).unwrap_err();
    assert!(refused.to_string().contains("wait already"), "{refused}");
    good.finish();
    server.release();
    waiting.join().unwrap();
    until(&other, "idle", |status| status.queue == 0 && status.state == State::Ready);
    drop((peer, other));
    is_as_before(&server);
}

/// Thousands of calls that are taken back at once, as a program does that is interrupted, must not
/// keep others waiting.
#[test]
fn a_storm_of_cancels_does_not_stop_others() {
    const CALLS: u64 = 60_000;
    let server = server();
    let waiting = occupy(&server);
    let looker = server.client();
    let mut peers: Vec<_> = (0..4).map(|_| Peer::new(&server)).collect();
    for peer in &mut peers {
        // Their acks are read, or no more of their requests would be.
        let answers = count_answers(peer, CALLS as usize);
        let calls: Vec<u8> = (1..=CALLS).flat_map(|id| exec(FIRST, id, id)).collect();
        peer.send(&calls);
        assert_eq!(answers.join().unwrap().1, 0);
    }
    let good = onlooker(&server);
    // From the end, and all over the place.
    let storm: Vec<_> = peers
        .into_iter()
        .zip([1, 7919, 1, 7919])
        .map(|(mut peer, step)| {
            let ids = (0..CALLS).rev().map(|number| number * step % CALLS + 1);
            let cancels: Vec<u8> = ids.flat_map(|id| frame(CANCEL, 0, 0, id, 0)).collect();
            thread::spawn(move || {
                peer.stream.set_write_timeout(None).unwrap();
                peer.send(&cancels);
                peer
            })
        })
        .collect();
    let peers: Vec<_> = storm.into_iter().map(|peer| peer.join().unwrap()).collect();
    until(&looker, "empty", |status| status.queue == 0);
    let slowest = good.finish();
    server.release();
    waiting.join().unwrap();
    drop((peers, looker));
    is_as_before(&server);
    assert!(slowest < Duration::from_secs(2), "a status took {slowest:?}");
}

#[test]
fn responses_that_are_never_read_end_their_connection() {
    const CALLS: u64 = 6;
    const BYTES: u64 = 70 << 20;
    const { assert!((CALLS - 1) * BYTES > limits::OUTBOX_BYTES_MAX as u64) };
    let server = server();
    let waiting = occupy(&server);
    let mut peer = Peer::new(&server);
    let calls: Vec<u8> = (1..=CALLS).flat_map(|id| exec(FIRST, id, list(BYTES))).collect();
    peer.send(&calls);
    let looker = server.client();
    until(&looker, "queued", |status| status.queue == CALLS);
    let good = caller(&server);
    server.release();
    waiting.join().unwrap();
    // Behind those of the peer.
    assert_eq!(call(&looker, 1_u64).unwrap(), Value::Int(1));
    good.finish();
    // The one that looks is left; the peer has not closed anything.
    until(&looker, "alone", |status| status.clients == 1);
    let mut received = 0;
    let mut buffer = vec![0; 1 << 20];
    while let Ok(count @ 1..) = peer.stream.read(&mut buffer) {
        received += count;
    }
    assert!(received < limits::OUTBOX_BYTES_MAX);
    drop((peer, looker));
    is_as_before(&server);
}

/// Failures are answers too: a text of an exception may be as long as a response.
#[test]
fn failures_that_are_never_read_end_their_connection() {
    let text = limits::FAILURE_TEXT_BYTES_MAX as u64;
    let enough = limits::OUTBOX_BYTES_MAX as u64 / text + 100;
    let server = server();
    let waiting = occupy(&server);
    let mut peer = Peer::new(&server);
    let looker = server.client();
    let before = looker.status(&limit()).unwrap().calls;
    let fail = Value::Tuple(vec![Value::from(text)]);
    let calls: Vec<u8> = (1..=enough).flat_map(|id| exec(FIRST, id, fail.clone())).collect();
    peer.send(&calls);
    until(&looker, "queued", |status| status.queue == enough);
    server.release();
    waiting.join().unwrap();
    let status = until(&looker, "idle", |status| status.calls == before + 1 + enough);
    assert_eq!(status.clients, 1, "the peer reads nothing, and its answers are kept");
    drop((peer, looker));
    is_as_before(&server);
}

#[test]
fn random_frames_after_the_handshake() {
    let server = server();
    let good = caller(&server);
    let mut random = Random(0x5eed_0001);
    for _ in 0..300 {
        let mut peer = Peer::new(&server);
        let mut bytes = Vec::new();
        for _ in 0..random.below(8) {
            let data: Vec<u8> = (0..random.below(40)).map(|_| random.next() as u8).collect();
            // Mostly valid headers, so that the bytes get far; never an EXIT, which would be heeded.
            let kind = [INIT, EXEC, CANCEL, PING, STATUS, 0x42][random.below(6)];
            let buffers = [0, 0, 0, 1, 2][random.below(5)];
            let mut part =
                frame(kind, random.below(4) as u8, buffers, random.next() >> 56, data.len() as u64);
            part.extend((0..buffers).flat_map(|_| (random.next() >> 58).to_le_bytes()));
            part.extend(data);
            if random.below(3) == 0 {
                // The kind stays: an EXIT must not come about.
                let at = 1 + random.below(part.len() - 1);
                part[at] ^= 1 << random.below(8);
            }
            bytes.extend(part);
        }
        // A server that has seen enough closes before it has read everything.
        drop(peer.stream.write_all(&bytes));
        // Half of them wait for the server, half leave at once.
        if random.below(2) == 0 {
            peer.stream.shutdown(std::net::Shutdown::Write).unwrap();
            assert!(peer.is_ended());
        }
    }
    good.finish();
    is_as_before(&server);
}

//! Peers that hold the token and break every other rule, with a well-behaved client beside them.

#![cfg(unix)]

mod support;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use bgpy::limits;
use bgpy::{CallKind, FailureCode, Value, Want};
use bgpy_proto::Kind;
use bgpy_proto::handshake::Suite;
use support::peer::{ALL, CANCEL, EXEC, FIRST, INIT, LOG, PING, Peer, STATUS};
use support::peer::{exec, frame, ping, sealed, shake_hands, shake_hands_but_confirm};
use support::target::*;
use support::{LIMIT, call, limit, payload};

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

//! Peers that call, cancel and do not read without measure.

#![cfg(unix)]

mod support;

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use bgpy::limits;
use bgpy::{FailureCode, State, Value};
use bgpy_proto::Kind;
use support::peer::{ACK, ALL, CANCEL, FIRST, PING, Peer, STATUS};
use support::peer::{exec, frame, ping};
use support::target::*;
use support::{Running, call, limit, payload, until};

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
    // HandshakeRetries are answers as well, longer than their calls.
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

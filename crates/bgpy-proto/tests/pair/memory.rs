//! Messages that a side has no memory for: each fails its own call, and what follows arrives.

use std::collections::TryReserveError;

use bgpy_proto::client::Event;
use bgpy_proto::handshake::Suite;
use bgpy_proto::{
    Buffer, CallKind, ClientSession, FailureCode, Payload, Request, ServerSession, Supply, Want,
};

use crate::link::{connect, drain};

/// Longest vector that there is memory for.
const ROOM_BYTES: usize = 3 << 20;

/// Lengths of data and buffers that do not fit, wherever the part that is too long stands.
const TOO_LONG: [&[usize]; 4] =
    [&[4 << 20], &[1, 4 << 20], &[4 << 20, 0, 1], &[100_000, 70_000, 5 << 20, 70_000]];

#[derive(Debug)]
struct Short;

impl Supply for Short {
    fn grow(
        &mut self,
        bytes: &mut Vec<u8>,
        least: usize,
        most: u64,
    ) -> Result<(), TryReserveError> {
        if bytes.len() + most as usize > ROOM_BYTES {
            return Vec::<u8>::new().try_reserve_exact(usize::MAX);
        }
        bytes.try_reserve_exact(least.max(most as usize))
    }
}

fn payload(lengths: &[usize]) -> Payload {
    let buffer = |length: &usize| Buffer::Owned(vec![7; *length]);
    Payload { data: vec![1; lengths[0]], buffers: lengths[1..].iter().map(buffer).collect() }
}

/// Feeds bytes in pieces, into their place where there is one and that is asked for.
fn feed(server: &mut ServerSession, bytes: &[u8], piece: usize, placed: bool) {
    for mut piece in bytes.chunks(piece) {
        while placed
            && !piece.is_empty()
            && let Some((part, most)) = server.place()
        {
            let take = most.min(piece.len());
            part.extend_from_slice(&piece[..take]);
            piece = &piece[take..];
            server.feed(&[]).expect("it goes on");
        }
        server.feed(piece).expect("it goes on");
    }
}

fn ways() -> impl Iterator<Item = (Suite, &'static [usize], usize, bool)> {
    let suites = [Suite::Clear, Suite::ChaChaPoly];
    suites.into_iter().flat_map(|suite| {
        TOO_LONG.into_iter().flat_map(move |lengths| {
            [(1000, false), (300_000, true), (256 << 10, false)]
                .map(|(piece, placed)| (suite, lengths, piece, placed))
        })
    })
}

#[test]
fn an_argument_without_memory_fails_its_call() {
    for (suite, lengths, piece, placed) in ways() {
        let (mut client, mut server) = connect(suite);
        server.supply_with(Box::new(Short));
        let calls = [&[5][..], lengths, &[6, 7]].map(|lengths| {
            client.call(CallKind::Exec, Want::First, payload(lengths)).expect("it may be sent")
        });
        let bytes = drain(&mut client.outbox);
        feed(&mut server, &bytes, piece, placed);
        for (call, lengths) in [(calls[0], &[5][..]), (calls[2], &[6, 7])] {
            let Some(Request::Call { id, message, .. }) = server.poll() else {
                panic!("the call has arrived");
            };
            assert_eq!((id, message.bytes()), (call, payload(lengths).bytes()));
        }
        assert!(server.poll().is_none());
        client.feed(&drain(&mut server.outbox)).expect("the answer is one");
        let Some(Event::Failed { failure, .. }) = client.poll(calls[1]) else {
            panic!("the caller was told");
        };
        assert_eq!(failure.code, FailureCode::Task);
        assert_eq!(failure.exception.as_deref(), Some("MemoryError"));
        assert!(failure.message.contains(&payload(lengths).bytes().to_string()));
    }
}

#[test]
fn an_answer_without_memory_fails_its_call() {
    for (suite, lengths, piece, _) in ways() {
        for want in [Want::First, Want::All] {
            let (mut client, mut server) = connect(suite);
            client.supply_with(Box::new(Short));
            let calls =
                [(); 2].map(|()| client.call(CallKind::Exec, want, Payload::default()).unwrap());
            server.feed(&drain(&mut client.outbox)).unwrap();
            assert_eq!(server.respond(calls[0], payload(lengths), false), Ok(true));
            assert_eq!(server.respond(calls[1], payload(&[9]), false), Ok(true));
            for part in drain(&mut server.outbox).chunks(piece) {
                client.feed(part).expect("it goes on");
            }
            let Some(Event::NoMemory { bytes, last }) = client.poll(calls[0]) else {
                panic!("the call failed");
            };
            assert_eq!((bytes, last), (payload(lengths).bytes(), want == Want::First));
            assert!(matches!(client.poll(calls[1]), Some(Event::Response { .. })));
            goes_on(&mut client, &mut server);
        }
    }
}

fn goes_on(client: &mut ClientSession, server: &mut ServerSession) {
    let ping = client.ping();
    server.feed(&drain(&mut client.outbox)).unwrap();
    client.feed(&drain(&mut server.outbox)).unwrap();
    assert!(matches!(client.poll(ping), Some(Event::Pong)));
}

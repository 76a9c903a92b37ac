//! Messages that a side has no memory for: each fails its own call, and what follows arrives. And streams,
//! whose readers need no more memory than their windows.

use std::collections::TryReserveError;

use bgpy_proto::client::Event;
use bgpy_proto::handshake::Suite;
use bgpy_proto::{
    Buffer, CallHead, CallKind, ClientSession, FailureCode, Payload, Progress, Request, Room,
    ServerSession, Supply, Want,
};

use crate::link::{connect, drain};
use crate::meter::peak_bytes;
use crate::order_of_streams::{calling_with, stream};

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

/// Feeds bytes in pieces.
fn hear(client: &mut ClientSession, bytes: &[u8], piece: usize) {
    bytes.chunks(piece).for_each(|piece| client.feed(piece).expect("it goes on"));
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
            hear(&mut client, &drain(&mut server.outbox), piece);
            let Some(Event::NoMemory { bytes, last }) = client.poll(calls[0]) else {
                panic!("the call failed");
            };
            assert_eq!((bytes, last), (payload(lengths).bytes(), want == Want::First));
            assert!(matches!(client.poll(calls[1]), Some(Event::Response { .. })));
            goes_on(&mut client, &mut server);
        }
    }
}

#[test]
fn a_response_without_memory_is_taken() {
    for (_, lengths, piece, _) in ways() {
        let (mut client, mut server) = calling_with(Want::All, &stream(100));
        client.supply_with(Box::new(Short));
        for _ in 0..3 {
            assert_eq!(server.room(1), Room::Open);
            assert_eq!(server.respond(1, payload(lengths), false), Ok(true));
            assert_eq!(server.room(1), Room::Full);
            hear(&mut client, &drain(&mut server.outbox), piece);
            server.feed(&drain(&mut client.outbox)).expect("it is a credit");
            assert_eq!(server.ahead(), 0);
            assert!(matches!(client.poll(1), Some(Event::NoMemory { last: false, .. })));
        }
        // One that fits is taken when it is heard.
        assert_eq!(server.respond(1, payload(&[100]), false), Ok(true));
        hear(&mut client, &drain(&mut server.outbox), piece);
        assert!(client.outbox.is_empty());
        assert!(matches!(client.poll(1), Some(Event::Response { .. })));
        server.feed(&drain(&mut client.outbox)).expect("it is a credit");
        assert_eq!(server.ahead(), 0);
    }
}

#[test]
fn a_callback_without_memory_fails() {
    for (_, lengths, piece, _) in ways() {
        let (mut client, mut server) = calling_with(Want::All, &stream(100));
        client.supply_with(Box::new(Short));
        server.supply_with(Box::new(Short));
        for (number, arguments, result) in [(0, lengths, &[1][..]), (1, &[1], lengths)] {
            assert_eq!(server.callback(1, payload(arguments)), Ok(Some(number)));
            hear(&mut client, &drain(&mut server.outbox), piece);
            if number == 0 {
                assert!(client.poll(1).is_none());
            } else {
                assert!(matches!(client.poll(1), Some(Event::Callback { .. })));
            }
            client.return_from_callback(1, number, Ok(payload(result))).expect("it may be sent");
            feed(&mut server, &drain(&mut client.outbox), piece, false);
            let Some(Request::CallbackReply { number: it, outcome: Err(failed), .. }) =
                server.poll()
            else {
                panic!("the task is told")
            };
            assert_eq!((it, failed.0.exception.as_deref()), (number, Some("MemoryError")));
            assert!(failed.0.message.contains(&payload(lengths).bytes().to_string()));
            assert!(server.poll().is_none());
        }
    }
}

#[test]
fn a_stream_takes_no_more_memory_than_its_window() {
    const WINDOW: usize = 1 << 16;
    const RESPONSE: usize = 1 << 12;
    let (mut client, mut server) = calling_with(Want::All, &stream(WINDOW as u64));
    // The responses stand in the server's outbox, in the bytes on their way, which `drain` collects in a
    // vector that doubles, and in the client's events.
    let bound = 4 * (WINDOW + RESPONSE) + (16 << 10);
    let (peak, sent) = peak_bytes(|| {
        let mut sent = 0;
        for is_heard in [false, true] {
            for _ in 0..1000 {
                while server.room(1) == Room::Open {
                    server.respond(1, payload(&[RESPONSE]), false).expect("it may be sent");
                    sent += 1;
                }
                client.feed(&drain(&mut server.outbox)).expect("it is within the window");
                if is_heard {
                    assert!(matches!(client.poll(1), Some(Event::Response { .. })));
                }
                server.feed(&drain(&mut client.outbox)).expect("it is a credit, or nothing");
                while server.poll().is_some() {}
            }
        }
        sent
    });
    assert!(sent > 1000, "only {sent} responses were sent");
    assert!(peak < bound, "{peak} bytes");
}

#[test]
fn progress_that_nobody_hears_takes_no_memory() {
    let asked = CallHead { progress: true, ..CallHead::default() };
    let (mut client, mut server) = calling_with(Want::First, &asked);
    let (peak, ()) = peak_bytes(|| {
        for done in 0..100_000 {
            server.progress(1, &Progress::new(Some(f64::from(done)), None, Some("training")));
            client.feed(&drain(&mut server.outbox)).expect("it was asked for");
        }
    });
    assert!(peak < 16 << 10, "{peak} bytes");
    assert!(matches!(client.poll(1), Some(Event::Progress(last)) if last.done == Some(99_999.0)));
}

fn goes_on(client: &mut ClientSession, server: &mut ServerSession) {
    let ping = client.ping();
    server.feed(&drain(&mut client.outbox)).unwrap();
    client.feed(&drain(&mut server.outbox)).unwrap();
    assert!(matches!(client.poll(ping), Some(Event::Pong)));
}

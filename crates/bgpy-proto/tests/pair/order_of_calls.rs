//! Heads, progress, callbacks and aborts as an honest peer never sends them, and those that have crossed the
//! end of what they belong to.

use bgpy_proto::client::Event;
use bgpy_proto::codec::Value;
use bgpy_proto::frame::flag;
use bgpy_proto::handshake::{ClientHandshake, ServerHandshake, Suite};
use bgpy_proto::limits::{
    ABORT_REQUEST_BYTES_MAX, PROGRESS_TEXT_BYTES_MAX, STREAM_WINDOW_BYTES_MAX, TRACE_BYTES_MAX,
};
use bgpy_proto::{
    AbortRequest, CallHead, CallKind, ClientSession, Failure, FailureCode, Kind, Outbox, Progress,
    ProtocolError, Replays, Request, Room, ServerHello, Want,
};

use crate::link::{client, connect, done, drain, more, psk, server_hello};
use crate::order::{bare, calling, flagged, rule, with_data};
use crate::order_of_streams::{bytes, calling_with, stream};

const UNFIT: &str = "an answer that does not fit its call";

fn map(key: &str, value: Value) -> Vec<u8> {
    Value::from([(key, value)]).encode().expect("it is flat")
}

/// The failures that a client has sent as results of callbacks, by their numbers.
fn refusals(client: &mut ClientSession) -> Vec<(u8, FailureCode)> {
    let (written, mut refusals) = (drain(&mut client.outbox), Vec::new());
    let mut rest = &written[..];
    while let [kind, flags, _, _, seq, ..] = *rest {
        let (data, next) = rest[24..].split_at(usize::from(rest[16]));
        rest = next;
        if kind == Kind::CallbackReply as u8 {
            assert_eq!(flags, flag::FAILED);
            refusals.push((seq, Failure::decode(data).expect("it is a failure").code));
        }
    }
    refusals
}

#[test]
fn a_server_reads_heads_or_ends() {
    let headed = Want::All as u8 | flag::HEAD;
    for data in [&b""[..], &[1], &[0, 0], &[9, 0, 0x80], b"\x01\0\xc0"] {
        let (_, mut server) = connect(Suite::Clear);
        let outcome = server.feed(&flagged(Kind::Exec, headed, 1, data));
        assert_eq!(rule(outcome), "a call with a head that says nothing");
        assert!(server.poll().is_none());
    }
    for (what, map) in [
        ("a trace context", map("trace", "0".repeat(TRACE_BYTES_MAX + 1).into())),
        ("the window of a stream", map("window", (STREAM_WINDOW_BYTES_MAX + 1).into())),
    ] {
        let (_, mut server) = connect(Suite::Clear);
        let data = [&(map.len() as u16).to_le_bytes()[..], &map].concat();
        let outcome = server.feed(&flagged(Kind::Exec, headed, 1, &data));
        assert!(matches!(outcome, Err(ProtocolError::TooLarge { what: it, .. }) if it == what));
    }
    // An empty one says nothing, and is one.
    let (_, mut server) = connect(Suite::Clear);
    server.feed(&flagged(Kind::Exec, headed, 1, b"\x01\0\x80\xc0")).expect("it is a head");
    let Some(Request::Call { head: Some(head), message, .. }) = server.poll() else {
        panic!("it is a call")
    };
    assert!(head.is_empty() && message.data() == b"\xc0");
}

#[test]
fn a_head_that_is_too_long_is_not_sent() {
    let trace = Some("0".repeat(TRACE_BYTES_MAX + 1));
    let (mut client, _) = connect(Suite::Clear);
    for head in [CallHead { trace, ..CallHead::default() }, stream(STREAM_WINDOW_BYTES_MAX + 1)] {
        let outcome = client.call_headed(CallKind::Exec, Want::All, &head, bytes(1));
        assert!(matches!(outcome, Err(ProtocolError::TooLarge { .. })));
    }
    assert!(client.outbox.is_empty());
    assert_eq!(client.call(CallKind::Exec, Want::All, bytes(1)), Ok(1));
}

#[test]
fn flags_that_are_none_end_the_connection() {
    for (kind, flags) in [
        (Kind::Ping, flag::HEAD),
        (Kind::Abort, flag::HEAD),
        (Kind::Exec, 4),
        (Kind::Cancel, 2),
        (Kind::CallbackReply, 2),
        (Kind::Credit, 1),
    ] {
        let (_, mut server) = connect(Suite::Clear);
        let outcome = server.feed(&bare(kind, flags, 0, 1));
        assert_eq!(rule(outcome), "a frame with an unknown flag");
    }
}

#[test]
fn only_who_asks_hears_of_progress() {
    let progress = Progress::new(Some(1.0), None, Some("training"));
    let told = with_data(Kind::Progress, 1, &progress.encode());
    let asked = CallHead { progress: true, ..CallHead::default() };
    assert_eq!(rule(calling(Want::All).feed(&told)), UNFIT);
    assert_eq!(rule(calling_with(Want::Ack, &asked).0.feed(&told)), UNFIT);
    let long = map("text", "x".repeat(PROGRESS_TEXT_BYTES_MAX + 1).into());
    for data in [&b""[..], b"\xc0", b"\x81\xa4done\xa0", &long] {
        let (mut client, _) = calling_with(Want::First, &asked);
        let outcome = client.feed(&with_data(Kind::Progress, 1, data));
        assert_eq!(rule(outcome), "progress that says nothing");
    }
    // The last that has come counts, and it implies the ack.
    let (mut client, _) = calling_with(Want::First, &asked);
    let sooner = with_data(Kind::Progress, 1, &Progress::default().encode());
    client.feed(&[sooner, told].concat()).expect("it was asked for");
    let Some(Event::Progress(heard)) = client.poll(1) else { panic!("it is lost") };
    assert_eq!(*heard, progress);
    assert!(client.poll(1).is_none());
    assert_eq!(rule(client.feed(&bare(Kind::Ack, 0, 0, 1))), UNFIT);
}

#[test]
fn a_server_tells_progress_only_who_hears_it() {
    let asked = CallHead { progress: true, ..CallHead::default() };
    let (mut client, mut server) = calling_with(Want::Ack, &asked);
    server.progress(1, &Progress::default());
    assert_eq!(server.callback(1, bytes(1)), Ok(None));
    assert!(server.outbox.is_empty());
    // The ack is neither implied nor lost.
    server.ack(1);
    client.feed(&drain(&mut server.outbox)).expect("it is the last frame");
    assert!(matches!(client.poll(1), Some(Event::Accepted)));
    let (_, mut server) = calling_with(Want::All, &stream(1));
    server.progress(1, &Progress::default());
    server.progress(2, &Progress::default());
    assert!(server.outbox.is_empty());
}

#[test]
fn a_client_takes_callbacks_in_order() {
    let callback = |seq| bare(Kind::Callback, 0, seq, 1);
    assert_eq!(rule(calling(Want::Ack).feed(&callback(0))), UNFIT);
    for seq in [1, u32::MAX] {
        let outcome = calling(Want::All).feed(&callback(seq));
        assert_eq!(rule(outcome), "a callback out of its order");
    }
    for seq in [0, 2] {
        let mut client = calling(Want::First);
        client.feed(&callback(0)).expect("the first is 0");
        assert_eq!(rule(client.feed(&callback(seq))), "a callback out of its order");
    }
    let mut client = calling(Want::First);
    client.feed(&callback(0)).expect("the first is 0");
    assert_eq!(rule(client.feed(&bare(Kind::Ack, 0, 0, 1))), UNFIT);
}

#[test]
fn a_server_that_takes_no_reply_calls_nobody() {
    let psk = psk('k');
    let (client, mut up) = client(Suite::Clear, &psk);
    let hello = ServerHello { calls: false, ..server_hello() };
    let server = ServerHandshake::new(psk, hello, true);
    let mut down = Outbox::default();
    more(server.feed(&drain(&mut up), &mut down, &mut Replays::default()));
    let mut client: ClientSession = done(ClientHandshake::feed(client, &drain(&mut down), &mut up));
    assert_eq!(client.call(CallKind::Exec, Want::All, bytes(1)), Ok(1));
    let outcome = client.feed(&bare(Kind::Callback, 0, 0, 1));
    assert_eq!(rule(outcome), "a callback of a server that takes no reply");
}

#[test]
fn a_callback_returns_once() {
    let (mut client, mut server) = calling_with(Want::All, &stream(100));
    for number in 0..2 {
        assert_eq!(server.callback(1, bytes(1)), Ok(Some(number)));
    }
    // Replies to no callback, to no call, and to one that is not made.
    let strays = [(2, 1), (0, 2), (u32::MAX, 1), (0, 0), (0, u64::MAX)];
    for (seq, call) in strays {
        server.feed(&bare(Kind::CallbackReply, 0, seq, call)).expect("it is ignored");
    }
    assert!(server.poll().is_none());
    let garbage = flagged(Kind::CallbackReply, flag::FAILED, 1, b"\x80");
    let (_, mut other) = calling_with(Want::All, &stream(100));
    assert_eq!(rule(other.feed(&garbage)), "a failure that says nothing");

    client.feed(&drain(&mut server.outbox)).expect("it is a callback");
    let failure = Failure::new(FailureCode::Task, "no");
    for number in [1, 0, 0, 1, 2] {
        let outcome = if number == 0 { Ok(bytes(2)) } else { Err(&failure) };
        client.return_from_callback(1, number, outcome).expect("it is short");
    }
    server.feed(&drain(&mut client.outbox)).expect("an honest client is understood");
    assert!(matches!(
        server.poll(),
        Some(Request::CallbackReply { id: 1, number: 1, outcome: Err(failed) }) if failed.0 == failure
    ));
    assert!(matches!(
        server.poll(),
        Some(Request::CallbackReply { id: 1, number: 0, outcome: Ok(message) }) if message.bytes() == 2
    ));
    assert!(server.poll().is_none());
}

/// How a caller gives up its call.
type GiveUp = fn(&mut ClientSession);

#[test]
fn no_task_waits_for_a_caller_that_has_gone_away() {
    let ways: [(&str, GiveUp); 3] = [
        ("forget", |client| client.forget(1)),
        ("cancel", |client| client.cancel(1)),
        ("abandon", |client| client.abandon(1)),
    ];
    for (name, give_up) in ways {
        let (mut client, mut server) = calling_with(Want::All, &stream(60));
        assert_eq!(server.callback(1, bytes(1)), Ok(Some(0)));
        assert_eq!(server.respond(1, bytes(40), false), Ok(true));
        client.feed(&drain(&mut server.outbox)).expect("an honest server is understood");
        assert!(client.outbox.is_empty());
        // Another callback is on its way meanwhile.
        assert_eq!(server.callback(1, bytes(1)), Ok(Some(1)));
        give_up(&mut client);
        let mut written = drain(&mut client.outbox);
        client.feed(&drain(&mut server.outbox)).expect("an honest server is understood");
        written.extend(drain(&mut client.outbox));
        server.feed(&written).expect("an honest client is understood");
        let requests: Vec<_> = std::iter::from_fn(|| server.poll()).collect();
        let refused = requests.iter().filter(|request| {
            matches!(request, Request::CallbackReply { id: 1, outcome: Err(failed), .. }
                if failed.0.code == FailureCode::Refused)
        });
        assert_eq!(refused.count(), if name == "cancel" { 0 } else { 2 }, "{name}");
        let room = if name == "forget" { Room::Open } else { Room::Gone };
        assert_eq!((server.room(1), server.ahead()), (room, 0), "{name}");
        assert!(client.poll(1).is_none());
    }
}

#[test]
fn a_callback_of_a_call_that_nobody_waits_for_is_refused() {
    let mut client = calling(Want::First);
    let _ = drain(&mut client.outbox);
    client.forget(1);
    client.feed(&bare(Kind::Callback, 0, 7, 1)).expect("its caller has gone away");
    assert_eq!(refusals(&mut client), [(7, FailureCode::Refused)]);
    let outcome = client.feed(&bare(Kind::Callback, 0, 0, 2));
    assert_eq!(rule(outcome), "an answer to a call that was not made");
}

#[test]
fn aborts_and_their_replies_are_read_or_end_the_connection() {
    let long = map("later", Value::Bytes(vec![0; ABORT_REQUEST_BYTES_MAX]));
    for data in [&b""[..], b"\xc0", b"\x81\xa4call\xff", b"\x81\xa4call\xa0", &long] {
        let (_, mut server) = connect(Suite::Clear);
        let outcome = server.feed(&with_data(Kind::Abort, 1, data));
        assert_eq!(rule(outcome), "an abort that says nothing");
    }
    let (_, mut server) = connect(Suite::Clear);
    server.feed(&with_data(Kind::Abort, 1, b"\x80")).expect("it means the call that runs");
    let Some(Request::Abort { id: 1, request }) = server.poll() else { panic!("it is lost") };
    assert_eq!(request, AbortRequest::default());
    // It is a request, with an id of its own.
    let outcome = server.feed(&with_data(Kind::Abort, 1, b"\x80"));
    assert_eq!(rule(outcome), "a call id that does not grow");
    for data in [&b""[..], b"\x80", b"\x81\xa7outcome\xa5later", b"\x81\xa7outcome\xc0"] {
        let (mut client, _) = connect(Suite::Clear);
        let abort = client.abort(&AbortRequest { call: Some(1), job: None });
        let outcome = client.feed(&with_data(Kind::AbortReply, abort, data));
        assert_eq!(rule(outcome), "a reply to an abort that says nothing");
    }
}

#[test]
fn a_client_writes_nothing_behind_a_goodbye() {
    let (mut client, mut server) = calling_with(Want::All, &stream(60));
    assert_eq!(server.callback(1, bytes(1)), Ok(Some(0)));
    for _ in 0..2 {
        assert_eq!(server.respond(1, bytes(3), false), Ok(true));
    }
    server.say_goodbye();
    client.feed(&drain(&mut server.outbox)).expect("an honest server is understood");
    assert!(matches!(client.poll(1), Some(Event::Callback { number: 0, .. })));
    client.return_from_callback(1, 0, Ok(bytes(1))).expect("nobody reads it");
    for _ in 0..2 {
        assert!(matches!(client.poll(1), Some(Event::Response { .. })));
    }
    client.interrupt(1);
    client.abandon(1);
    assert!(client.outbox.is_empty());
}

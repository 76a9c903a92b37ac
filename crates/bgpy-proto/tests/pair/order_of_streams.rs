//! Streams and cancels as an honest peer never sends them, and those that have crossed the end of their call.

use bgpy_proto::client::Event;
use bgpy_proto::frame::flag;
use bgpy_proto::handshake::Suite;
use bgpy_proto::{
    CallHead, CallKind, ClientSession, Failure, FailureCode, Kind, Payload, Request, Room,
    ServerSession, Want,
};

use crate::link::{connect, drain};
use crate::order::{bare, calling, flagged, rule, with_data};

/// Two sides, and what the client calls with a head.
pub fn calling_with(want: Want, head: &CallHead) -> (ClientSession, ServerSession) {
    let (mut client, mut server) = connect(Suite::Clear);
    assert_eq!(client.call_headed(CallKind::Exec, want, head, Payload::default()), Ok(1));
    server.feed(&drain(&mut client.outbox)).expect("an honest client is understood");
    assert!(matches!(server.poll(), Some(Request::Call { id: 1, head: Some(_), .. })));
    (client, server)
}

/// A head that asks for a stream.
pub fn stream(window: u64) -> CallHead {
    CallHead { window: Some(window), ..CallHead::default() }
}

/// A message of so many bytes.
pub fn bytes(length: usize) -> Payload {
    vec![0xc0; length].into()
}

/// How much of a call's stream was taken.
pub fn credit(call: u64, taken: u64) -> Vec<u8> {
    with_data(Kind::Credit, call, &taken.to_le_bytes())
}

#[test]
fn a_credit_is_for_what_was_sent_and_grows() {
    for data in [&[][..], &[0; 7], &[0; 9]] {
        let (_, mut server) = calling_with(Want::All, &stream(100));
        let outcome = server.feed(&with_data(Kind::Credit, 1, data));
        assert_eq!(rule(outcome), "a credit that says nothing");
    }
    for wrong in [[0, 55], [54, 53], [27, u64::MAX]] {
        let (_, mut server) = calling_with(Want::All, &stream(100));
        for _ in 0..2 {
            assert_eq!(server.respond(1, bytes(3), false), Ok(true));
        }
        server.feed(&credit(1, wrong[0])).expect("it was sent");
        let outcome = server.feed(&credit(1, wrong[1]));
        assert_eq!(rule(outcome), "a credit for what was not sent");
    }
}

#[test]
fn a_credit_makes_room_as_far_as_it_goes() {
    let (_, mut server) = calling_with(Want::All, &stream(54));
    assert_eq!(server.room(1), Room::Open);
    for ahead in [27, 54] {
        assert_eq!(server.room(1), Room::Open);
        assert_eq!(server.respond(1, bytes(3), false), Ok(true));
        assert_eq!(server.ahead(), ahead);
    }
    assert_eq!(server.room(1), Room::Full);
    server.feed(&credit(1, 0)).expect("nothing was taken");
    assert!(server.poll().is_none(), "it is no news");
    server.feed(&credit(1, 1)).expect("it was sent");
    assert!(matches!(server.poll(), Some(Request::Credit { id: 1 })));
    assert_eq!((server.room(1), server.ahead()), (Room::Open, 53));
    server.end(1, false);
    assert_eq!((server.room(1), server.ahead()), (Room::Gone, 0));
}

#[test]
fn a_credit_for_what_is_no_stream_is_ignored() {
    let lots = credit(1, u64::MAX);
    for (want, head) in [(Want::First, stream(1)), (Want::All, CallHead::default())] {
        let (_, mut server) = connect(Suite::Clear);
        let encoded = head.encode().expect("it is short");
        let flags = want as u8 | flag::HEAD;
        server.feed(&flagged(Kind::Exec, flags, 1, &encoded)).expect("it is a call");
        assert!(server.poll().is_some());
        assert_eq!(server.respond(1, bytes(3), false), Ok(true));
        server.feed(&lots).expect("it is ignored");
        assert!(server.poll().is_none() && server.ahead() == 0);
    }
    // One whose end, or whose cancel, has crossed it; and one that was never made.
    let ways: [fn(&mut ServerSession); 3] = [
        |server| server.end(1, false),
        |server| server.feed(&bare(Kind::Cancel, 0, 0, 1)).expect("it is one"),
        |server| server.feed(&bare(Kind::Cancel, flag::ANSWER, 0, 1)).expect("it is one"),
    ];
    for end in ways {
        let (_, mut server) = calling_with(Want::All, &stream(100));
        assert_eq!(server.respond(1, bytes(3), false), Ok(true));
        end(&mut server);
        while server.poll().is_some() {}
        server.feed(&[lots.clone(), credit(77, 1)].concat()).expect("they are ignored");
        assert!(server.poll().is_none() && server.ahead() == 0);
    }
}

#[test]
fn a_client_ends_a_stream_that_does_not_wait_for_it() {
    for (window, fit) in [(0, 1), (1, 1), (24, 1), (25, 2), (100, 5)] {
        let (mut client, _) = calling_with(Want::All, &stream(window));
        for seq in 0..fit {
            client.feed(&bare(Kind::Response, 0, seq, 1)).expect("it is within the window");
        }
        let outcome = client.feed(&bare(Kind::Response, 0, fit, 1));
        assert_eq!(rule(outcome), "a response beyond the window of its stream");
    }
}

#[test]
fn each_buffer_of_a_response_counts() {
    let (mut client, mut server) = calling_with(Want::All, &stream(90));
    let payload = Payload { buffers: vec![Vec::new().into(); 3], ..bytes(1) };
    assert_eq!(server.respond(1, payload, false), Ok(true));
    assert_eq!(server.ahead(), 24 + 3 * 8 + 1);
    client.feed(&drain(&mut server.outbox)).expect("it is within the window");
    assert!(client.outbox.is_empty());
    assert!(matches!(client.poll(1), Some(Event::Response { .. })));
    assert_eq!(drain(&mut client.outbox), credit(1, 49));
}

#[test]
fn a_forgotten_stream_goes_on_to_its_end() {
    let (mut client, mut server) = calling_with(Want::All, &stream(100));
    client.forget(1);
    for _ in 0..50 {
        assert_eq!(server.room(1), Room::Open);
        assert_eq!(server.respond(1, bytes(76), false), Ok(true));
        client.feed(&drain(&mut server.outbox)).expect("an honest server is understood");
        assert!(client.poll(1).is_none());
        server.feed(&drain(&mut client.outbox)).expect("an honest client is understood");
    }
    // Whoever has forgotten a call says nothing more of it.
    client.interrupt(1);
    client.cancel(1);
    client.abandon(1);
    assert!(client.outbox.is_empty());
    server.end(1, false);
    client.feed(&drain(&mut server.outbox)).expect("an honest server is understood");
    assert!(client.poll(1).is_none());
    // It is over: nothing is known of it.
    client.feed(&bare(Kind::End, 0, 0, 1)).expect("a call that is over is nobody's business");
}

#[test]
fn a_cancel_with_an_answer_gives_up_a_stream_and_hears_the_end() {
    let (mut client, mut server) = calling_with(Want::All, &stream(100));
    for _ in 0..3 {
        assert_eq!(server.respond(1, bytes(3), false), Ok(true));
    }
    let responses = drain(&mut server.outbox);
    client.feed(&responses[..27]).expect("it is the first");
    client.interrupt(1);
    server.feed(&drain(&mut client.outbox)).expect("an honest client is understood");
    assert!(matches!(server.poll(), Some(Request::Cancel { id: 1, interrupt: true })));
    assert!(server.is_open(1) && !server.wants_response(1));
    assert_eq!((server.room(1), server.ahead()), (Room::Gone, 0));
    assert_eq!(server.respond(1, bytes(3), false), Ok(false));
    assert_eq!(server.callback(1, bytes(3)), Ok(None));
    assert!(server.fail(1, &Failure::new(FailureCode::Cancelled, "it was cancelled")));
    client.feed(&responses[27..]).expect("they have crossed the cancel");
    assert!(client.poll(1).is_none() && client.outbox.is_empty());
    client.feed(&drain(&mut server.outbox)).expect("it is the end");
    let Some(Event::Failed { failure, .. }) = client.poll(1) else { panic!("unheard") };
    assert_eq!(failure.code, FailureCode::Cancelled);
    // A response behind the cancel is still to be in its order.
    let (mut client, _) = calling_with(Want::All, &stream(100));
    client.interrupt(1);
    let outcome = client.feed(&bare(Kind::Response, 0, 1, 1));
    assert_eq!(rule(outcome), "a response out of its order");
}

#[test]
fn a_cancel_with_an_answer_takes_no_response_from_a_call_that_is_no_stream() {
    for (want, head) in [(Want::First, stream(100)), (Want::All, CallHead::default())] {
        let (mut client, mut server) = connect(Suite::Clear);
        client.call_headed(CallKind::Exec, want, &head, bytes(1)).expect("it is short");
        client.interrupt(1);
        server.feed(&drain(&mut client.outbox)).expect("an honest client is understood");
        assert_eq!(server.respond(1, bytes(3), false), Ok(true));
        server.end(1, false);
        client.feed(&drain(&mut server.outbox)).expect("an honest server is understood");
        assert!(matches!(client.poll(1), Some(Event::Response { .. })));
    }
    // An Ack call that was accepted is over, and so is anything that was never made.
    let (_, mut server) = connect(Suite::Clear);
    server.feed(&bare(Kind::Exec, Want::Ack as u8, 0, 1)).expect("it is a call");
    server.ack(1);
    assert!(matches!(server.poll(), Some(Request::Call { .. })));
    for id in [0, 1, u64::MAX] {
        server.feed(&bare(Kind::Cancel, flag::ANSWER, 0, id)).expect("a cancel is never wrong");
    }
    assert!(server.poll().is_none());
}

#[test]
fn only_a_call_that_is_open_is_interrupted() {
    let (mut client, _) = connect(Suite::Clear);
    let ping = client.ping();
    let _ = drain(&mut client.outbox);
    client.interrupt(ping);
    client.interrupt(77);
    assert!(client.outbox.is_empty());
    let mut client = calling(Want::All);
    let _ = drain(&mut client.outbox);
    client.feed(&bare(Kind::End, 0, 0, 1)).expect("it ends");
    client.interrupt(1);
    assert!(client.outbox.is_empty());
    assert!(matches!(client.poll(1), Some(Event::Ended { .. })));
}

#[test]
fn the_result_of_a_method_is_its_last_frame() {
    let head = CallHead { method: Some("words".into()), ..stream(100) };
    let (mut client, mut server) = calling_with(Want::All, &head);
    assert_eq!(server.respond(1, bytes(3), false), Ok(true));
    assert_eq!(server.respond_last(1, bytes(3)), Ok(true));
    assert!(!server.is_open(1) && server.ahead() == 0);
    client.feed(&drain(&mut server.outbox)).expect("an honest server is understood");
    for is_last in [false, true] {
        let Some(Event::Response { last, .. }) = client.poll(1) else { panic!("unheard") };
        assert_eq!(last, is_last);
    }
    // What has crossed a cancel still tells how the call has ended.
    let (mut client, mut server) = calling_with(Want::All, &head);
    assert_eq!(server.respond(1, bytes(3), false), Ok(true));
    assert_eq!(server.respond_last(1, bytes(3)), Ok(true));
    client.interrupt(1);
    client.feed(&drain(&mut server.outbox)).expect("they have crossed the cancel");
    assert!(matches!(client.poll(1), Some(Event::Response { last: true, .. })));
    assert!(client.poll(1).is_none());
    // A task has no result: its responses are all alike.
    let (mut client, mut server) = calling_with(Want::All, &stream(100));
    assert_eq!(server.respond_last(1, bytes(3)), Ok(true));
    assert!(server.is_open(1));
    client.feed(&drain(&mut server.outbox)).expect("an honest server is understood");
    let outcome = client.feed(&bare(Kind::Response, flag::LAST, 1, 1));
    assert_eq!(rule(outcome), "an answer that does not fit its call");
}

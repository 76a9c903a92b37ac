//! Requests and answers that an honest peer never sends, written by hand into sessions whose
//! records are in the clear.

use bgpy_proto::client::Event;
use bgpy_proto::codec::Value;
use bgpy_proto::frame::Header;
use bgpy_proto::handshake::{ClientHandshake, Suite};
use bgpy_proto::limits::{
    BUFFERS_MAX, CALLS_PER_CONNECTION_MAX, DEBUG_REQUEST_BYTES_MAX, LOG_CURSOR_BYTES_MAX,
    LOG_REQUEST_BYTES_MAX, MESSAGE_BYTES_MAX,
};
use bgpy_proto::{
    CallKind, ClientHello, ClientSession, DebugRequest, Failure, FailureCode, Kind, LogRequest,
    Outbox, Payload, ProtocolError, Replays, Request, Want,
};

use crate::link::{client_hello, connect, done, drain, more, psk, server};

/// A header of a frame without contents.
pub fn header(kind: Kind, flags: u8, seq: u32, call: u64) -> Header {
    Header { kind, flags, buffers: 0, seq, call, data_bytes: 0 }
}

/// A frame without contents.
pub fn bare(kind: Kind, flags: u8, seq: u32, call: u64) -> Vec<u8> {
    header(kind, flags, seq, call).encode().to_vec()
}

/// A frame without flags.
pub fn with_data(kind: Kind, call: u64, data: &[u8]) -> Vec<u8> {
    flagged(kind, 0, call, data)
}

/// A frame with data.
pub fn flagged(kind: Kind, flags: u8, call: u64, data: &[u8]) -> Vec<u8> {
    let head = Header { data_bytes: data.len() as u64, ..header(kind, flags, 0, call) };
    [&head.encode()[..], data].concat()
}

/// The rule that was broken.
pub fn rule(outcome: Result<(), ProtocolError>) -> &'static str {
    match outcome {
        Err(ProtocolError::Malformed(rule)) => rule,
        outcome => panic!("the rule was not enforced: {outcome:?}"),
    }
}

/// A client that has made one call.
pub fn calling(want: Want) -> ClientSession {
    let (mut client, _) = connect(Suite::Clear);
    assert_eq!(client.call(CallKind::Exec, want, Payload::default()), Ok(1));
    client
}

#[test]
fn a_server_takes_only_ids_that_grow() {
    for id in [0, 4, 5] {
        let (_, mut server) = connect(Suite::Clear);
        server.feed(&bare(Kind::Ping, 0, 0, 5)).expect("ids may skip");
        let outcome = server.feed(&bare(Kind::Exec, 0, 0, id));
        assert_eq!(rule(outcome), "a call id that does not grow");
    }
    let (_, mut server) = connect(Suite::Clear);
    assert_eq!(rule(server.feed(&bare(Kind::Exec, 0, 0, 0))), "a call id that does not grow");
}

#[test]
fn a_server_takes_no_answers() {
    let answers = [
        Kind::Ack,
        Kind::Response,
        Kind::Error,
        Kind::End,
        Kind::Pong,
        Kind::StatusReply,
        Kind::LogReply,
        Kind::DebugReply,
        Kind::Goodbye,
        Kind::Progress,
        Kind::Callback,
        Kind::AbortReply,
    ];
    for kind in answers {
        let (_, mut server) = connect(Suite::Clear);
        let outcome = server.feed(&bare(kind, 0, 0, 1));
        assert_eq!(rule(outcome), "a frame that only servers send");
    }
}

#[test]
fn a_server_takes_no_unknown_want() {
    let (_, mut server) = connect(Suite::Clear);
    let outcome = server.feed(&bare(Kind::Exec, 3, 0, 1));
    assert_eq!(rule(outcome), "a call wants something unknown");
}

#[test]
fn a_cancel_may_name_any_call() {
    // It may cross the last frame of its call, and then there is nothing to be done.
    let (_, mut server) = connect(Suite::Clear);
    for id in [0, 1, u64::MAX] {
        server.feed(&bare(Kind::Cancel, 0, 0, id)).expect("a cancel is never wrong");
    }
    assert!(server.poll().is_none() && server.outbox.is_empty());
    server.feed(&bare(Kind::Exec, 1, 0, 1)).expect("it uses up no id");
    assert!(server.wants_response(1));
}

#[test]
fn a_cancelled_call_is_told_no_more() {
    let (mut client, mut server) = connect(Suite::Clear);
    for want in [Want::First, Want::All] {
        let call = client.call(CallKind::Exec, want, Payload::default()).expect("no buffers");
        let other = client.call(CallKind::Exec, want, Payload::default()).expect("no buffers");
        server.feed(&drain(&mut client.outbox)).expect("an honest client is understood");
        client.cancel(call);
        server.feed(&drain(&mut client.outbox)).expect("an honest client is understood");
        let requests: Vec<_> = std::iter::from_fn(|| server.poll()).collect();
        assert!(matches!(requests[2..], [Request::Cancel { id, interrupt: false }] if id == call));
        assert!(!server.wants_response(call) && server.wants_response(other));
        server.ack(call);
        assert_eq!(server.respond(call, Payload::default(), false), Ok(false));
        server.end(call, false);
        assert!(!server.fail(call, &Failure::new(FailureCode::Task, "no")));
        assert!(server.outbox.is_empty());
    }
}

#[test]
fn a_client_takes_no_answer_to_what_it_did_not_ask() {
    for id in [0, 2] {
        let outcome = calling(Want::All).feed(&bare(Kind::Ack, 0, 0, id));
        assert_eq!(rule(outcome), "an answer to a call that was not made");
    }
}

#[test]
fn a_client_takes_one_goodbye_to_what_it_did_ask_and_nothing_behind_it() {
    let outcome = calling(Want::All).feed(&bare(Kind::Goodbye, 0, 0, 2));
    assert_eq!(rule(outcome), "an answer to a call that was not made");
    for behind in [Kind::Goodbye, Kind::Ack] {
        let mut client = calling(Want::All);
        client.feed(&bare(Kind::Goodbye, 0, 0, 1)).expect("it fits");
        let outcome = client.feed(&bare(behind, 0, 0, 1));
        assert_eq!(rule(outcome), "a frame behind a goodbye");
    }
}

#[test]
fn a_goodbye_refuses_only_what_was_not_read() {
    let (mut client, mut server) = connect(Suite::Clear);
    let call = |client: &mut ClientSession| {
        client.call(CallKind::Exec, Want::First, Payload::default()).expect("no buffers")
    };
    let (answered, read) = (call(&mut client), call(&mut client));
    server.feed(&drain(&mut client.outbox)).expect("an honest client is understood");
    assert_eq!(server.respond(answered, Payload::default(), false), Ok(true));
    let (unread, status) = (call(&mut client), client.status());
    server.say_goodbye();
    client.feed(&drain(&mut server.outbox)).expect("an honest server is understood");
    assert!(client.is_over());
    assert!(matches!(client.poll(answered), Some(Event::Response { last: true, .. })));
    // It may have run, and its answer may have been lost.
    assert!(client.poll(read).is_none());
    let _ = drain(&mut client.outbox);
    for refused in [unread, call(&mut client)] {
        let Some(Event::Failed { failure, .. }) = client.poll(refused) else { panic!("unheard") };
        assert_eq!(failure.code, FailureCode::Stopping);
        assert!(client.poll(refused).is_none());
    }
    let ping = client.ping();
    assert!(client.poll(status).is_none() && client.poll(ping).is_none());
    assert!(client.outbox.is_empty(), "it writes to nobody");
}

#[test]
fn a_client_of_1_0_hears_no_goodbye() {
    let psk = psk('k');
    let (mut up, mut down) = (Outbox::default(), Outbox::default());
    let hello = ClientHello { goodbye: false, ..client_hello() };
    let client = ClientHandshake::start(Suite::Clear, &psk, &hello, &mut up);
    let server = more(server(&psk).feed(&drain(&mut up), &mut down, &mut Replays::default()));
    done(client.feed(&drain(&mut down), &mut up));
    let mut server = done(server.feed(&drain(&mut up), &mut down, &mut Replays::default()));
    server.say_goodbye();
    assert!(server.outbox.is_empty());
}

#[test]
fn a_client_takes_only_answers_that_fit() {
    let requests = [
        Kind::Init,
        Kind::Exec,
        Kind::Exit,
        Kind::Cancel,
        Kind::Ping,
        Kind::Status,
        Kind::Log,
        Kind::Debug,
        Kind::Credit,
        Kind::CallbackReply,
        Kind::Abort,
    ];
    let replies =
        [Kind::Pong, Kind::StatusReply, Kind::LogReply, Kind::DebugReply, Kind::AbortReply];
    for kind in requests.into_iter().chain(replies) {
        let outcome = calling(Want::All).feed(&bare(kind, 0, 0, 1));
        assert_eq!(rule(outcome), "an answer that does not fit its call");
    }
    for kind in [
        Kind::Ack,
        Kind::Response,
        Kind::Error,
        Kind::End,
        Kind::StatusReply,
        Kind::LogReply,
        Kind::DebugReply,
        Kind::AbortReply,
        Kind::Progress,
        Kind::Callback,
    ] {
        let (mut client, _) = connect(Suite::Clear);
        let ping = client.ping();
        let outcome = client.feed(&bare(kind, 0, 0, ping));
        assert_eq!(rule(outcome), "an answer that does not fit its call");
    }
    // Who wants no response gets none, who wants one gets the last, and who wants all is told of the end.
    for (want, flags) in [(Want::Ack, 0), (Want::Ack, 1), (Want::First, 0), (Want::All, 1)] {
        let outcome = calling(want).feed(&bare(Kind::Response, flags, 0, 1));
        assert_eq!(rule(outcome), "an answer that does not fit its call");
    }
}

#[test]
fn a_client_takes_responses_in_order() {
    for seq in [1, u32::MAX] {
        let outcome = calling(Want::All).feed(&bare(Kind::Response, 0, seq, 1));
        assert_eq!(rule(outcome), "a response out of its order");
    }
    let mut client = calling(Want::All);
    client.feed(&bare(Kind::Response, 0, 0, 1)).expect("the first is 0");
    let outcome = client.feed(&bare(Kind::Response, 0, 0, 1));
    assert_eq!(rule(outcome), "a response out of its order");
}

#[test]
fn a_client_takes_an_ack_first_or_not_at_all() {
    for before in [Kind::Ack, Kind::Response] {
        let mut client = calling(Want::All);
        client.feed(&bare(before, 0, 0, 1)).expect("it fits");
        let outcome = client.feed(&bare(Kind::Ack, 0, 0, 1));
        assert_eq!(rule(outcome), "an answer that does not fit its call");
    }
}

#[test]
fn a_client_takes_nothing_after_the_last_answer() {
    let failure = Failure::new(FailureCode::Task, "no").encode();
    let lasts = [
        (Want::Ack, bare(Kind::Ack, 0, 0, 1)),
        (Want::First, bare(Kind::Response, 1, 0, 1)),
        (Want::All, bare(Kind::End, 0, 0, 1)),
        (Want::All, with_data(Kind::Error, 1, &failure)),
    ];
    for (want, last) in lasts {
        let mut client = calling(want);
        client.feed(&last).expect("it fits");
        let outcome = client.feed(&bare(Kind::End, 0, 0, 1));
        assert_eq!(rule(outcome), "an answer after the last one");

        let mut client = calling(want);
        client.feed(&last).expect("it fits");
        assert!(client.poll(1).is_some());
        client.cancel(1);
        assert!(drain(&mut client.outbox).len() == 24, "a call that is over was cancelled");
        client.feed(&bare(Kind::End, 0, 0, 1)).expect("a call that is over is nobody's business");
        assert!(client.poll(1).is_none());
    }
}

#[test]
fn a_client_reads_failures_and_statuses_or_ends() {
    let outcome = calling(Want::All).feed(&with_data(Kind::Error, 1, b"\x80"));
    assert_eq!(rule(outcome), "a failure that says nothing");
    let (mut client, _) = connect(Suite::Clear);
    let status = client.status();
    let outcome = client.feed(&with_data(Kind::StatusReply, status, b""));
    assert_eq!(rule(outcome), "a status that says nothing");
    let (mut client, _) = connect(Suite::Clear);
    let log = client.log(&LogRequest::Start);
    let outcome = client.feed(&with_data(Kind::LogReply, log, b"\x80"));
    assert_eq!(rule(outcome), "a piece of a log that says nothing");
    let (mut client, _) = connect(Suite::Clear);
    let debug = client.debug(&DebugRequest::Stacks);
    let outcome = client.feed(&with_data(Kind::DebugReply, debug, b"\x80"));
    assert_eq!(rule(outcome), "a debug reply that says nothing");
}

#[test]
fn a_server_reads_debug_requests_or_ends() {
    let long = Value::from([
        ("ask", Value::from("stacks")),
        ("later", Value::Bytes(vec![0; DEBUG_REQUEST_BYTES_MAX])),
    ]);
    let long = long.encode().expect("it is flat");
    for data in [&b""[..], b"\x80", b"\x81\xa3ask\xa3now", &long] {
        let (_, mut server) = connect(Suite::Clear);
        let outcome = server.feed(&with_data(Kind::Debug, 1, data));
        assert_eq!(rule(outcome), "a debug request that says nothing");
    }
    let (_, mut server) = connect(Suite::Clear);
    server.feed(&with_data(Kind::Debug, 1, &DebugRequest::Stacks.encode())).expect("it is one");
    let request = server.poll();
    assert!(matches!(request, Some(Request::Debug { id: 1, request: DebugRequest::Stacks })));
}

#[test]
fn a_server_reads_log_requests_or_ends() {
    let cursor = |bytes: usize| {
        let cursor = Value::from([("after", Value::Bytes(vec![0; bytes]))]);
        cursor.encode().expect("it is flat")
    };
    let long = Value::from([("later", Value::Bytes(vec![0; LOG_REQUEST_BYTES_MAX]))]);
    let long = long.encode().expect("it is flat");
    for data in [&b""[..], b"\xc0", b"\x81\xa5lines\xff", &cursor(LOG_CURSOR_BYTES_MAX + 1), &long]
    {
        let (_, mut server) = connect(Suite::Clear);
        let outcome = server.feed(&with_data(Kind::Log, 1, data));
        assert_eq!(rule(outcome), "a log request that says nothing");
    }
    let (_, mut server) = connect(Suite::Clear);
    server.feed(&with_data(Kind::Log, 1, &cursor(LOG_CURSOR_BYTES_MAX))).expect("it is a request");
    assert!(matches!(server.poll(), Some(Request::Log { id: 1, request: LogRequest::After(_) })));
}

#[test]
fn a_task_that_responds_to_nobody_is_told_so() {
    let (mut client, mut server) = connect(Suite::Clear);
    let call = client.call(CallKind::Exec, Want::Ack, Payload::default()).expect("no buffers");
    server.feed(&drain(&mut client.outbox)).expect("an honest client is understood");
    assert!(!server.wants_response(call));
    assert_eq!(server.respond(call, Payload::default(), false), Ok(false));
    server.ack(call);
    client.feed(&drain(&mut server.outbox)).expect("an honest server is understood");
    assert!(matches!(client.poll(call), Some(Event::Accepted)));
    assert!(client.poll(call).is_none());
}

#[test]
fn too_many_open_calls_are_refused_one_by_one() {
    let (_, mut server) = connect(Suite::Clear);
    let calls = CALLS_PER_CONNECTION_MAX as u64;
    for id in 1..=calls {
        server.feed(&bare(Kind::Exec, Want::First as u8, 0, id)).expect("the call is accepted");
    }
    assert_eq!(std::iter::from_fn(|| server.poll()).count() as u64, calls);
    assert!(server.outbox.is_empty());
    server.feed(&bare(Kind::Exec, Want::First as u8, 0, calls + 1)).expect("one is refused");
    assert!(server.poll().is_none());
    assert_eq!(server.outbox.front()[0], Kind::Error as u8);
    // An answer makes room again.
    let _ = drain(&mut server.outbox);
    server.end(1, false);
    server.feed(&bare(Kind::Exec, Want::First as u8, 0, calls + 2)).expect("the call is accepted");
    assert!(matches!(server.poll(), Some(Request::Call { .. })));
}

#[test]
fn too_many_buffers_are_not_sent() {
    for suite in [Suite::Clear, Suite::AesGcm] {
        let (mut client, mut server) = connect(suite);
        let payload = |count| Payload { data: Vec::new(), buffers: vec![Vec::new().into(); count] };
        let error = client.call(CallKind::Exec, Want::All, payload(BUFFERS_MAX + 1)).unwrap_err();
        assert!(matches!(error, ProtocolError::TooLarge { what: "a buffer table", .. }));
        assert!(client.outbox.is_empty());
        // The refused call has used no id, and the most that is possible arrives.
        assert_eq!(client.call(CallKind::Exec, Want::All, payload(BUFFERS_MAX)), Ok(1));
        server.feed(&drain(&mut client.outbox)).expect("an honest client is understood");
        let Some(Request::Call { message, .. }) = server.poll() else { panic!("lost") };
        assert_eq!(message.buffers().len(), BUFFERS_MAX);
    }
}

#[test]
fn a_message_beyond_the_limit_is_refused_by_its_head() {
    let too_long = |data_bytes, lengths: &[u64]| {
        let (_, mut server) = connect(Suite::Clear);
        let buffers = lengths.len() as u16;
        let head = Header { buffers, data_bytes, ..header(Kind::Exec, 0, 0, 1) };
        let mut bytes = head.encode().to_vec();
        bytes.extend(lengths.iter().flat_map(|length| length.to_le_bytes()));
        matches!(server.feed(&bytes), Err(ProtocolError::TooLarge { what: "a message", .. }))
    };
    let limit = MESSAGE_BYTES_MAX;
    assert!(!too_long(limit, &[]) && too_long(limit + 1, &[]));
    assert!(!too_long(1, &[limit - 1]) && too_long(1, &[limit]));
    assert!(!too_long(0, &[limit / 2; 2]) && too_long(0, &[limit / 2 + 1; 2]));
    assert!(too_long(u64::MAX, &[]) && too_long(2, &[u64::MAX, u64::MAX]));
}

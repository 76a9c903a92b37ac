//! Inputs that are valid, or were.

use bgpy_proto::Kind;
use bgpy_proto::codec::{Date, DateTime, Member, Path, PathKind, Span, Time, Value, Zone};
use bgpy_proto::frame::Header;
use bgpy_proto::limits::MESSAGE_BYTES_MAX;

use crate::maps::{
    abort_reply, abort_request, debug_reply, debug_request, failure, head, jobs_reply,
    jobs_request, log_reply, log_request, methods_reply, progress, status,
};
use crate::random::Random;
use crate::targets::Stream;

/// What clients send.
pub const REQUESTS: [Kind; 13] = [
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
    Kind::Methods,
    Kind::Jobs,
];

/// What servers send.
pub const ANSWERS: [Kind; 14] = [
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
    Kind::MethodsReply,
    Kind::JobsReply,
];

/// Lengths and counts that stand at some edge.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0xffff,
    1 << 16,
    1 << 20,
    u32::MAX as u64,
    1 << 40,
    (1 << 40) + 1,
    1 << 63,
    u64::MAX,
];

/// A frame with random contents.
pub fn frame(random: &mut Random, kind: Kind, flags: u8, seq: u32, call: u64) -> Vec<u8> {
    let data = random.magnitude(5);
    let data = random.bytes(data);
    let buffers = if random.one_in(4) { random.below(4) } else { 0 };
    let buffers: Vec<_> = (0..buffers)
        .map(|_| {
            let length = random.magnitude(5);
            random.bytes(length)
        })
        .collect();
    let mut bytes = header(kind, flags, seq, call, buffers.len(), data.len());
    buffers.iter().for_each(|buffer| bytes.extend((buffer.len() as u64).to_le_bytes()));
    bytes.extend(data);
    buffers.iter().for_each(|buffer| bytes.extend(buffer));
    bytes
}

/// A frame that carries a message.
fn carrying(kind: Kind, call: u64, message: &[u8]) -> Vec<u8> {
    flagged(kind, 0, 0, call, message)
}

fn flagged(kind: Kind, flags: u8, seq: u32, call: u64, message: &[u8]) -> Vec<u8> {
    [header(kind, flags, seq, call, 0, message.len()), message.to_vec()].concat()
}

fn header(kind: Kind, flags: u8, seq: u32, call: u64, buffers: usize, data: usize) -> Vec<u8> {
    let header =
        Header { kind, flags, buffers: buffers as u16, seq, call, data_bytes: data as u64 };
    header.encode().to_vec()
}

/// A request that a client may send; one that belongs to an earlier call names the stream or some other
/// call.
pub fn request(random: &mut Random, kind: Kind, call: u64, stream: Option<&Stream>) -> Vec<u8> {
    let earlier = call.wrapping_sub(random.magnitude(3) as u64);
    let of_stream = stream.filter(|_| !random.one_in(4)).map_or(earlier, |stream| stream.id);
    match kind {
        Kind::Init | Kind::Exec | Kind::Exit => {
            let want = random.below(3) as u8;
            if random.one_in(2) {
                return frame(random, kind, want, 0, call);
            }
            let mut data = head(random).encode().expect("it is short");
            let message = random.magnitude(5);
            data.extend(random.bytes(message));
            flagged(kind, want | 8, 0, call, &data)
        }
        Kind::Cancel => {
            let of_stream = if random.one_in(8) { of_stream } else { earlier };
            let answer = u8::from(random.one_in(2));
            frame(random, kind, answer, 0, of_stream)
        }
        Kind::Credit => {
            let (taken, sent) = stream.map_or((0, 0), |stream| (stream.taken, stream.sent));
            let taken = taken + random.below((sent - taken) as usize + 1) as u64;
            let taken = if random.one_in(64) { random.word() } else { taken };
            carrying(kind, of_stream, &taken.to_le_bytes())
        }
        Kind::CallbackReply => {
            let open = stream.and_then(|stream| stream.callbacks.first().copied());
            let seq = open.filter(|_| !random.one_in(4)).unwrap_or(random.word() as u32);
            if random.one_in(2) {
                return flagged(kind, 1, seq, of_stream, &failure().encode());
            }
            frame(random, kind, 0, seq, of_stream)
        }
        Kind::Jobs if !random.one_in(32) => carrying(kind, call, &jobs_request(random).encode()),
        Kind::Abort if !random.one_in(32) => carrying(kind, call, &abort_request(random).encode()),
        // Random bytes are seldom a request.
        Kind::Log if !random.one_in(32) => carrying(kind, call, &log_request(random).encode()),
        Kind::Debug if !random.one_in(32) => carrying(kind, call, &debug_request(random).encode()),
        _ => frame(random, kind, 0, 0, call),
    }
}

/// Answers to an Ack call, a First call, an All call, a ping, a status request, a log request, a debug
/// request, a stream, an abort, a request for the methods and one for the jobs, which have the ids in `asked`. Few of them break
/// a rule.
pub fn answers(random: &mut Random, asked: &[u64]) -> Vec<u8> {
    let &[ack, first, all, ping, status, log, debug, stream, abort, methods, jobs] = asked else {
        panic!("eleven things are asked")
    };
    let marked = 2 * random.below(2) as u8;
    let mut parts = vec![
        frame(random, Kind::Ack, 0, 0, ack),
        frame(random, Kind::Response, 1 | marked, 0, first),
        frame(random, Kind::Ack, 0, 0, all),
    ];
    for seq in 0..random.below(4) {
        let marked = 2 * random.below(2) as u8;
        parts.push(frame(random, Kind::Response, marked, seq as u32, all));
    }
    parts.push(match random.below(3) {
        already @ 0..2 => frame(random, Kind::End, already as u8, 0, all),
        _ => carrying(Kind::Error, all, &failure().encode()),
    });
    parts.push(frame(random, Kind::Pong, 0, 0, ping));
    parts.push(carrying(Kind::StatusReply, status, &crate::maps::status().encode()));
    parts.push(carrying(Kind::LogReply, log, &log_reply(random).encode()));
    let reply = debug_reply(random).encode_within(u64::MAX);
    parts.push(carrying(Kind::DebugReply, debug, &reply));
    parts.extend(stream_answers(random, stream));
    parts.push(carrying(Kind::AbortReply, abort, &abort_reply(random).encode()));
    let reply = methods_reply(random).encode_within(u64::MAX);
    parts.push(carrying(Kind::MethodsReply, methods, &reply));
    let reply = jobs_reply(random).encode_within(u64::MAX);
    parts.push(carrying(Kind::JobsReply, jobs, &reply));
    // Calls that nobody waits for any more.
    if random.one_in(4) {
        let seq = random.below(3) as u32;
        let kind = [Kind::Callback, Kind::Response][random.below(2)];
        let earlier = 1 + random.below(stream as usize) as u64;
        parts.push(frame(random, kind, 0, seq, earlier));
    }
    // Anything may be missing at the end; seldom is something missing, or strange, in between.
    parts.truncate(random.below(parts.len() + 1));
    if random.one_in(32) && !parts.is_empty() {
        let (at, from) = (random.below(parts.len()), random.below(parts.len()));
        parts[at] = parts[from].clone();
    }
    if random.one_in(32) {
        let kind = ANSWERS[random.below(ANSWERS.len())];
        let (call, seq) = (asked[random.below(asked.len())], random.below(3) as u32);
        parts.push(frame(random, kind, 0, seq, call));
    }
    parts.concat()
}

/// Responses, callbacks and progress of a stream, in any order.
fn stream_answers(random: &mut Random, stream: u64) -> Vec<Vec<u8>> {
    let (mut responses, mut callbacks) = (0, 0);
    let mut parts: Vec<_> = (0..random.below(6))
        .map(|_| match random.below(3) {
            0 => {
                responses += 1;
                frame(random, Kind::Response, 0, responses - 1, stream)
            }
            1 => {
                callbacks += 1;
                frame(random, Kind::Callback, 0, callbacks - 1, stream)
            }
            _ => carrying(Kind::Progress, stream, &progress(random).encode()),
        })
        .collect();
    if random.one_in(2) {
        parts.push(frame(random, Kind::End, 0, 0, stream));
    }
    parts
}

/// The beginning of a handshake: right in its fixed parts, and noise where a key is needed.
pub fn first_message(random: &mut Random) -> Vec<u8> {
    let length = random.magnitude(7);
    let mut bytes = b"bgpy\x01\x01\0\0".to_vec();
    bytes[5] += random.below(3) as u8;
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(random.bytes(length));
    bytes
}

/// The messages that the protocol itself sends, and nested ones at the limit of depth.
pub fn messages() -> Vec<Vec<u8>> {
    let mut deep = Value::Nil;
    for level in 0..250 {
        deep = if level % 2 == 0 { Value::List(vec![deep]) } else { Value::Tuple(vec![deep]) };
    }
    let deep = deep.encode().expect("the limit is 256 levels");
    // A list of what lies in three buffers.
    let outside = b"\x93\xd4\x05\0\xd4\x05\x01\xd4\x05\x02".to_vec();
    let random = &mut Random::new(6);
    let (request, reply) = (log_request(random), log_reply(random));
    let mut messages = vec![
        failure().encode(),
        status().encode(),
        request.encode(),
        reply.encode(),
        deep,
        outside,
    ];
    for _ in 0..4 {
        messages.push(head(random).encode().expect("it is short")[2..].to_vec());
        messages.push(progress(random).encode());
        messages.push(jobs_request(random).encode());
        messages.push(jobs_reply(random).encode_within(u64::MAX));
        messages.push(abort_request(random).encode());
        messages.push(abort_reply(random).encode());
        messages.push(methods_reply(random).encode_within(u64::MAX));
    }
    for _ in 0..8 {
        messages.push(debug_request(random).encode());
        messages.push(debug_reply(random).encode_within(u64::MAX));
    }
    messages
}

/// What each side could say of itself inside a handshake.
pub fn hellos() -> [Vec<u8>; 2] {
    let id = || Value::Bytes(vec![7; 16]);
    let rest = || {
        let most = ("message_bytes_max", MESSAGE_BYTES_MAX.into());
        [("bgpy", "1.0.0".into()), ("python", Value::Nil), ("pid", 7_u64.into()), most]
    };
    let [bgpy, python, pid, most] = rest();
    let client = Value::from([("client", id()), bgpy, python, pid, most, ("calls", true.into())]);
    let [bgpy, python, pid, most] = rest();
    let (generation, pickle) = (("generation", 3_u64.into()), ("allow_pickle", false.into()));
    let server = Value::from([("instance", id()), generation, bgpy, python, pid, most, pickle]);
    [client, server].map(|hello| hello.encode().expect("a hello is flat"))
}

/// A tree of at most so many levels.
pub fn value(random: &mut Random, levels: usize) -> Value {
    let items = |random: &mut Random, most| -> Vec<Value> {
        (0..random.below(most)).map(|_| value(random, levels - 1)).collect()
    };
    match random.below(if levels == 0 { 10 } else { 16 }) {
        0..7 => simple(random),
        7..10 => rare(random),
        10 => Value::List(items(random, 5)),
        11 => Value::Tuple(items(random, 5)),
        12 => Value::Set(items(random, 5)),
        13 => Value::FrozenSet(items(random, 5)),
        14 => {
            let (module, class) = ("colours".to_owned(), "Colour".to_owned());
            Value::Member(Box::new(Member { module, class, value: value(random, levels - 1) }))
        }
        _ => Value::Map(
            (0..random.below(4))
                .map(|_| (value(random, levels - 1), value(random, levels - 1)))
                .collect(),
        ),
    }
}

/// A value that most languages have.
fn simple(random: &mut Random) -> Value {
    match random.below(7) {
        0 => Value::Nil,
        1 => Value::Bool(random.one_in(2)),
        2 => Value::Int((random.word() >> random.below(64)) as i64),
        3 => Value::from(random.word() | 1 << 63),
        4 => Value::Float(f64::from_bits(random.word())),
        5 => Value::from(format!("{:x}é", random.word())),
        _ => Value::Bytes(bytes(random)),
    }
}

/// A value that Python has.
fn rare(random: &mut Random) -> Value {
    let date = |random: &mut Random| Date {
        year: 1 + random.below(9999) as u16,
        month: 1 + random.below(12) as u8,
        day: 1 + random.below(28) as u8,
    };
    match random.below(13) {
        0 => Value::Pickle(bytes(random)),
        1 => Value::BigInt(random.word().to_le_bytes()[random.below(8)..].to_vec()),
        2 => Value::ByteArray(bytes(random)),
        3 => Value::Surrogates(b"name-\xed\xb3\xbf".to_vec()),
        4 => Value::Complex(f64::from_bits(random.word()), -0.0),
        5 => Value::Date(date(random)),
        6 => Value::Time(time(random)),
        7 => Value::DateTime(DateTime { date: date(random), time: time(random) }),
        8 => Value::Span(Span { days: -1, seconds: random.below(86_400) as u32, microseconds: 7 }),
        9 => Value::Zone(Box::new(zone(random))),
        10 => Value::Decimal(format!("-{}.5E+{}", random.word(), random.below(100))),
        11 => Value::Uuid([random.below(256) as u8; 16]),
        _ => {
            let kind = PathKind::ALL[random.below(4)];
            let parts = (0..random.below(3)).map(|part| format!("part{part}").into()).collect();
            Value::Path(Box::new(Path { kind, parts }))
        }
    }
}

fn time(random: &mut Random) -> Time {
    Time {
        hour: random.below(24) as u8,
        minute: random.below(60) as u8,
        second: random.below(60) as u8,
        microsecond: random.below(1_000_000) as u32,
        fold: random.one_in(2),
        zone: random.one_in(2).then(|| Box::new(zone(random))),
    }
}

fn zone(random: &mut Random) -> Zone {
    match random.below(3) {
        0 => Zone::UTC,
        1 => {
            Zone::Offset { microseconds: -(random.below(1 << 36) as i64), name: Some("é".into()) }
        }
        _ => Zone::Region("Europe/Berlin".into()),
    }
}

fn bytes(random: &mut Random) -> Vec<u8> {
    let length = random.magnitude(6);
    random.bytes(length)
}

/// Alters the bytes up to two times, or not at all.
pub fn mutate_some(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.below(3) {
        mutate(random, bytes);
    }
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len() + 1);
    let end = (at + random.magnitude(5)).min(bytes.len());
    let edge = EDGES[random.below(EDGES.len())];
    match random.below(8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => bytes.extend_from_within(at..end),
        3 => {
            let new = random.magnitude(4);
            drop(bytes.splice(at..at, random.bytes(new)));
        }
        4 => overwrite(bytes, at, &edge.to_le_bytes()),
        5 => overwrite(bytes, at, &(edge as u32).to_be_bytes()),
        6 => overwrite(bytes, at, &[random.word() as u8]),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

/// Writes over what is there, as far as it goes.
fn overwrite(bytes: &mut [u8], at: usize, new: &[u8]) {
    bytes[at..].iter_mut().zip(new).for_each(|(byte, new)| *byte = *new);
}

//! The payload codec, and what the protocol itself encodes in it.

use bgpy_proto::codec::{Reader, Value};
use bgpy_proto::limits::{DEBUG_LINE_BYTES_MAX, FAILURE_TEXT_BYTES_MAX};
use bgpy_proto::{
    AbortReply, AbortRequest, Buffer, CallHead, DebugReply, DebugRequest, Failure, JobsReply,
    JobsRequest, LogReply, LogRequest, MethodsReply, Progress, Status,
};

/// Decodes the input as everything that it could be. Whatever succeeds is encoded and decoded again
/// and must be the same.
pub fn payload(input: &[u8]) -> bool {
    walk(input);
    head(input);
    let buffers = [b"text".to_vec(), b"\xff".to_vec(), Vec::new()].map(Buffer::from);
    let decoded = Value::decode(input).or_else(|_| Value::decode_with(input, &buffers));
    let Ok(value) = decoded else { return false };
    let canonical = value.encode().expect("it was no deeper when it came");
    let again = Value::decode(&canonical).expect("what was encoded can be decoded");
    // Bytes are compared, because a NaN does not equal itself.
    assert_eq!(again.encode().as_ref(), Ok(&canonical));

    let failure = Failure::decode(input);
    // Longer texts lose their middle when they are sent.
    if let Some(failure) = failure.filter(|_| input.len() <= FAILURE_TEXT_BYTES_MAX) {
        assert_eq!(Failure::decode(&failure.encode()), Some(failure));
    }
    if let Some(status) = Status::decode(input) {
        let encoded = status.encode();
        let again = Status::decode(&encoded).expect("what was encoded can be decoded");
        assert_eq!(again.encode(), encoded);
    }
    if let Some(request) = LogRequest::decode(input) {
        assert_eq!(LogRequest::decode(&request.encode()), Some(request));
    }
    if let Some(reply) = LogReply::decode(input) {
        assert_eq!(LogReply::decode(&reply.encode()), Some(reply));
    }
    if let Some(request) = DebugRequest::decode(input) {
        assert_eq!(DebugRequest::decode(&request.encode()), Some(request));
    }
    let reply = DebugReply::decode(input);
    // Longer texts lose their middle when they are sent.
    if let Some(reply) = reply.filter(|_| input.len() <= DEBUG_LINE_BYTES_MAX / 2) {
        assert_eq!(DebugReply::decode(&reply.encode_within(u64::MAX)), Some(reply));
    }
    if let Some(progress) = Progress::decode(input) {
        let encoded = progress.encode();
        let again = Progress::decode(&encoded).expect("what was encoded can be decoded");
        assert_eq!(again.encode(), encoded);
    }
    if let Some(reply) = MethodsReply::decode(input) {
        assert_eq!(MethodsReply::decode(&reply.encode_within(u64::MAX)), Some(reply));
    }
    if let Some(request) = JobsRequest::decode(input) {
        assert_eq!(JobsRequest::decode(&request.encode()), Some(request));
    }
    if let Some(reply) = JobsReply::decode(input) {
        let encoded = reply.encode_within(u64::MAX);
        let again = JobsReply::decode(&encoded).expect("what was encoded can be decoded");
        assert_eq!(again.encode_within(u64::MAX), encoded);
    }
    if let Some(request) = AbortRequest::decode(input) {
        assert_eq!(AbortRequest::decode(&request.encode()), Some(request));
    }
    if let Some(reply) = AbortReply::decode(input) {
        assert_eq!(AbortReply::decode(&reply.encode()), Some(reply));
    }
    true
}

/// Takes the head of a call from the front, with its length before it and without.
fn head(input: &[u8]) {
    let sized = u16::try_from(input.len()).ok().map(|bytes| [&bytes.to_le_bytes(), input].concat());
    for mut data in [Some(input.to_vec()), sized].into_iter().flatten() {
        if let Ok(head) = CallHead::split_from(&mut data) {
            assert!(input.ends_with(&data));
            let mut encoded = head.encode().expect("what was taken may be sent");
            assert_eq!(CallHead::split_from(&mut encoded), Ok(head));
            assert!(encoded.is_empty());
        }
    }
}

/// Reads heads only, as the Python side does: each takes at least a byte.
fn walk(input: &[u8]) {
    let mut reader = Reader::new(input);
    let mut items = 0;
    while !reader.is_at_end() && reader.item().is_ok() {
        items += 1;
        assert!(items <= input.len());
    }
}

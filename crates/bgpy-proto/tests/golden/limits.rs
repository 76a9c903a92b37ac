//! The limits as the specification tells them.

use std::collections::BTreeMap;

use bgpy_proto::limits::{
    ABORT_REQUEST_BYTES_MAX, BUFFERS_MAX, CALLS_PER_CONNECTION_MAX, CAUSE_BYTES_MAX,
    CAUSE_TEXT_BYTES_MAX, CAUSES_MAX, CHAIN_MAX, DEBUG_LINE_BYTES_MAX, DEBUG_REQUEST_BYTES_MAX,
    DEBUG_TEXT_BYTES_MAX, DEPTH_MAX, FAILURE_TEXT_BYTES_MAX, HANDSHAKE_BYTES_MAX, HANDSHAKE_MS,
    HANDSHAKES_MAX, HEAD_BYTES_MAX, JOB_BYTES_MAX, JOB_DIGEST_BYTES_MAX, JOB_ERROR_BYTES_MAX,
    JOB_KEEP_MS, JOB_RESULTS_BYTES_MAX, JOBS_MAX, JOBS_REQUEST_BYTES_MAX, LOG_BYTES_MAX,
    LOG_CURSOR_BYTES_MAX, LOG_ERROR_BYTES_MAX, LOG_REQUEST_BYTES_MAX, MESSAGE_BYTES_LEAST,
    MESSAGE_BYTES_MAX, METHOD_BYTES_MAX, METHODS_ERROR_BYTES_MAX, OUTBOX_BYTES_MAX,
    OUTBOX_PAUSE_BYTES, PING_AFTER_MS, PROGRESS_TEXT_BYTES_MAX, QUEUE_BYTES_MAX, QUEUE_CALLS_MAX,
    RECORD_BYTES_MAX, RESERVE_BYTES_MAX, SILENCE_MS, STREAM_WINDOW_BYTES, STREAM_WINDOW_BYTES_MAX,
    TRACE_BYTES_MAX,
};

#[test]
fn limits() {
    let specification = include_str!("../../../../docs/spec/PROTOCOL.md");
    let (_, section) = specification.split_once("\n## Limits\n").expect("it has a section of them");
    let (section, _) = section.split_once("\n## ").expect("another section follows");
    let told: BTreeMap<_, _> = section.lines().filter_map(limit).collect();
    let held = BTreeMap::from([
        ("ABORT_REQUEST_BYTES_MAX", ABORT_REQUEST_BYTES_MAX as u64),
        ("BUFFERS_MAX", BUFFERS_MAX as u64),
        ("CALLS_PER_CONNECTION_MAX", CALLS_PER_CONNECTION_MAX as u64),
        ("CAUSES_MAX", CAUSES_MAX as u64),
        ("CAUSE_BYTES_MAX", CAUSE_BYTES_MAX as u64),
        ("CAUSE_TEXT_BYTES_MAX", CAUSE_TEXT_BYTES_MAX as u64),
        ("CHAIN_MAX", CHAIN_MAX as u64),
        ("DEBUG_LINE_BYTES_MAX", DEBUG_LINE_BYTES_MAX as u64),
        ("DEBUG_REQUEST_BYTES_MAX", DEBUG_REQUEST_BYTES_MAX as u64),
        ("DEBUG_TEXT_BYTES_MAX", DEBUG_TEXT_BYTES_MAX as u64),
        ("DEPTH_MAX", DEPTH_MAX as u64),
        ("FAILURE_TEXT_BYTES_MAX", FAILURE_TEXT_BYTES_MAX as u64),
        ("HANDSHAKE_BYTES_MAX", HANDSHAKE_BYTES_MAX as u64),
        ("HANDSHAKE_MS", HANDSHAKE_MS),
        ("HANDSHAKES_MAX", HANDSHAKES_MAX as u64),
        ("HEAD_BYTES_MAX", HEAD_BYTES_MAX as u64),
        ("JOB_BYTES_MAX", JOB_BYTES_MAX as u64),
        ("JOB_DIGEST_BYTES_MAX", JOB_DIGEST_BYTES_MAX as u64),
        ("JOB_ERROR_BYTES_MAX", JOB_ERROR_BYTES_MAX as u64),
        ("JOBS_REQUEST_BYTES_MAX", JOBS_REQUEST_BYTES_MAX as u64),
        ("JOBS_MAX", JOBS_MAX as u64),
        ("JOB_RESULTS_BYTES_MAX", JOB_RESULTS_BYTES_MAX),
        ("JOB_KEEP_MS", JOB_KEEP_MS),
        ("LOG_BYTES_MAX", LOG_BYTES_MAX as u64),
        ("LOG_CURSOR_BYTES_MAX", LOG_CURSOR_BYTES_MAX as u64),
        ("LOG_ERROR_BYTES_MAX", LOG_ERROR_BYTES_MAX as u64),
        ("LOG_REQUEST_BYTES_MAX", LOG_REQUEST_BYTES_MAX as u64),
        ("MESSAGE_BYTES_MAX", MESSAGE_BYTES_MAX),
        ("MESSAGE_BYTES_LEAST", MESSAGE_BYTES_LEAST),
        ("OUTBOX_BYTES_MAX", OUTBOX_BYTES_MAX as u64),
        ("OUTBOX_PAUSE_BYTES", OUTBOX_PAUSE_BYTES as u64),
        ("PING_AFTER_MS", PING_AFTER_MS),
        ("PROGRESS_TEXT_BYTES_MAX", PROGRESS_TEXT_BYTES_MAX as u64),
        ("QUEUE_BYTES_MAX", QUEUE_BYTES_MAX),
        ("QUEUE_CALLS_MAX", QUEUE_CALLS_MAX as u64),
        ("RECORD_BYTES_MAX", RECORD_BYTES_MAX as u64),
        ("RESERVE_BYTES_MAX", RESERVE_BYTES_MAX as u64),
        ("SILENCE_MS", SILENCE_MS),
        ("STREAM_WINDOW_BYTES", STREAM_WINDOW_BYTES),
        ("STREAM_WINDOW_BYTES_MAX", STREAM_WINDOW_BYTES_MAX),
        ("METHOD_BYTES_MAX", METHOD_BYTES_MAX as u64),
        ("METHODS_ERROR_BYTES_MAX", METHODS_ERROR_BYTES_MAX as u64),
        ("TRACE_BYTES_MAX", TRACE_BYTES_MAX as u64),
    ]);
    assert_eq!(told, held);
}

/// Name and number of a row: "| `NAME` | 2 048 | ..." or "| `NAME` | 2^20 | ...".
fn limit(row: &str) -> Option<(&str, u64)> {
    let mut cells = row.strip_prefix("| `")?.split('|');
    let name = cells.next()?.trim_end().strip_suffix('`')?;
    let number = cells.next()?.replace(' ', "");
    let number = match number.split_once('^') {
        Some((base, power)) => base.parse::<u64>().ok()?.pow(power.parse().ok()?),
        None => number.parse().ok()?,
    };
    Some((name, number))
}

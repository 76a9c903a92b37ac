//! Every limit on what a peer can make this side hold or do, with its reason.
//!
//! A length, count or depth from the network is compared with one of these before anything is
//! allocated for it.

/// Largest handshake message, in bytes. A hello is below 300; the rest is room for later fields.
pub const HANDSHAKE_BYTES_MAX: usize = 2048;

/// Largest sealed record, in bytes, tag included: the limit of a Noise message.
pub const RECORD_BYTES_MAX: usize = 65_535;

/// Bytes of plain text in a full record: [`RECORD_BYTES_MAX`] minus the 16 bytes of the tag.
pub const RECORD_PLAIN_BYTES_MAX: usize = RECORD_BYTES_MAX - 16;

/// Largest message (payload and buffers of one frame), in bytes, unless the receiver announces a
/// lower limit in its hello. Memory is allocated as bytes arrive, never for an announced length
/// alone.
pub const MESSAGE_BYTES_MAX: u64 = 1 << 40;

/// Lowest limit that a receiver may set instead of [`MESSAGE_BYTES_MAX`], in bytes, so that
/// statuses and error texts still get through.
pub const MESSAGE_BYTES_LEAST: u64 = 4096;

/// Largest out-of-band buffer table of a frame: the count is sent as a `u16`.
pub const BUFFERS_MAX: usize = u16::MAX as usize;

/// Bytes reserved at once for an announced length; more are reserved only after these have arrived.
pub const RESERVE_BYTES_MAX: usize = 1 << 20;

/// Deepest nesting of plain data. Deeper recursion could overflow the stack.
pub const DEPTH_MAX: usize = 256;

/// Open calls of one connection. Further ones are refused with
/// [`FailureCode::Overloaded`](crate::FailureCode::Overloaded).
pub const CALLS_PER_CONNECTION_MAX: usize = 65_536;

/// Queued calls, over all connections. Further ones are refused in the same way.
pub const QUEUE_CALLS_MAX: usize = 262_144;

/// Bytes of queued calls, over all connections. A single call may exceed it if nothing else is
/// queued.
pub const QUEUE_BYTES_MAX: u64 = 8 << 30;

/// Bytes queued for a slow peer, in addition to the largest message among them, before another
/// answer closes the connection.
pub const OUTBOX_BYTES_MAX: usize = 256 << 20;

/// Bytes queued for a peer before no more of its requests are read.
pub const OUTBOX_PAUSE_BYTES: usize = 1 << 20;

/// Connections with an unfinished handshake, over TCP and over the Unix socket each. One more
/// evicts the oldest of the silent or the answered ones, whichever are more, so that neither kind
/// can keep others out.
pub const HANDSHAKES_MAX: usize = 512;

/// Time for a handshake, in milliseconds, counted from the accept.
pub const HANDSHAKE_MS: u64 = 10_000;

/// Silence, in milliseconds, after which a waiting client sends a ping.
pub const PING_AFTER_MS: u64 = 5_000;

/// Silence, in milliseconds, after which a waiting client considers the connection lost.
pub const SILENCE_MS: u64 = 30_000;

/// Longest text of an error (message or traceback) that is sent, in bytes.
pub const FAILURE_TEXT_BYTES_MAX: usize = 256 << 10;

/// Exceptions that led to another one, as they are sent with it: the nearest ones.
pub const CAUSES_MAX: usize = 32;

/// Longest encoded exception that is sent as a cause, in bytes.
pub const CAUSE_BYTES_MAX: usize = 1 << 20;

/// Longest text of a cause that is sent, in bytes.
pub const CAUSE_TEXT_BYTES_MAX: usize = 16 << 10;

/// Longest piece of a log in a reply, in bytes: several of them fit an outbox and delay no other
/// connection.
pub const LOG_BYTES_MAX: usize = 64 << 10;

/// Longest log cursor, in bytes: a file, an offset and a search need 41.
pub const LOG_CURSOR_BYTES_MAX: usize = 64;

/// Longest text that says why a log cannot be read, in bytes. It fits [`MESSAGE_BYTES_LEAST`].
pub const LOG_ERROR_BYTES_MAX: usize = 1024;

/// Longest log request that is decoded, in bytes. A request needs fewer than 80; the rest is room
/// for later keys.
pub const LOG_REQUEST_BYTES_MAX: usize = 1024;

/// Longest dump of stacks, or piece of the output of a debug session, in bytes: it shows hundreds of
/// threads, and several fit an outbox.
pub const DEBUG_TEXT_BYTES_MAX: usize = 256 << 10;

/// Longest head of a call, in bytes. The longest that is sent has about 2,900; the rest is room for later
/// keys.
pub const HEAD_BYTES_MAX: usize = 4096;

/// Most servers that wait for each other in the chain of a call.
pub const CHAIN_MAX: usize = 64;

/// Longest text that says why there are no methods, in bytes. It fits [`MESSAGE_BYTES_LEAST`].
pub const METHODS_ERROR_BYTES_MAX: usize = 1024;

/// Longest name of a method, in bytes.
pub const METHOD_BYTES_MAX: usize = 256;

/// Longest trace context, in bytes. A `traceparent` has 55.
pub const TRACE_BYTES_MAX: usize = 1024;

/// How far a server runs ahead of the reader of a stream, in bytes, unless the reader says otherwise.
pub const STREAM_WINDOW_BYTES: u64 = 1 << 20;

/// Largest window of a stream, in bytes: half of what a server holds for a peer that reads no answers,
/// because it holds a window for a reader that takes no responses.
pub const STREAM_WINDOW_BYTES_MAX: u64 = OUTBOX_BYTES_MAX as u64 / 2;

/// Longest text of progress, in bytes.
pub const PROGRESS_TEXT_BYTES_MAX: usize = 512;

/// Longest request to abort a call that is decoded, in bytes. It needs 15; the rest is room for later keys.
pub const ABORT_REQUEST_BYTES_MAX: usize = 1024;

/// Longest name of a job, in bytes.
pub const JOB_BYTES_MAX: usize = 256;

/// Longest digest of what a job is submitted with, in bytes.
pub const JOB_DIGEST_BYTES_MAX: usize = 64;

/// Longest text that says why a job has failed, in a list of jobs, in bytes. With the other parts of a job it
/// fits [`MESSAGE_BYTES_LEAST`].
pub const JOB_ERROR_BYTES_MAX: usize = 1024;

/// Longest request for jobs that is decoded, in bytes. It needs 264; the rest is room for later keys.
pub const JOBS_REQUEST_BYTES_MAX: usize = 1024;

/// Jobs that a server knows, those that have not ended included.
pub const JOBS_MAX: usize = 65_536;

/// Results of jobs that a server keeps, beside the latest, in bytes.
pub const JOB_RESULTS_BYTES_MAX: u64 = 1 << 30;

/// How long a server keeps what has become of a job, unless its caller says otherwise, in milliseconds: a day.
pub const JOB_KEEP_MS: u64 = 24 * 60 * 60 * 1000;

/// Longest line that is sent to a debug session, and longest other text of its replies, in bytes.
pub const DEBUG_LINE_BYTES_MAX: usize = 64 << 10;

/// Longest debug request that is decoded, in bytes: a line, with room for the other keys.
pub const DEBUG_REQUEST_BYTES_MAX: usize = DEBUG_LINE_BYTES_MAX + 1024;

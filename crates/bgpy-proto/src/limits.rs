//! Every bound on what a peer can make this side hold or do, with its reason.
//!
//! A length, count or depth that comes from the network is compared with one of these before
//! anything is allocated for it.

/// Largest handshake message, in bytes. A hello is below 300; the rest is room for later fields.
pub const HANDSHAKE_BYTES_MAX: usize = 2048;

/// Largest sealed record, in bytes, tag included: what a Noise message may hold.
pub const RECORD_BYTES_MAX: usize = 65_535;

/// Bytes of plain text in a full record: [`RECORD_BYTES_MAX`] less the 16 bytes of the tag.
pub const RECORD_PLAIN_BYTES_MAX: usize = RECORD_BYTES_MAX - 16;

/// Largest message (payload and buffers of one frame), in bytes, that is accepted unless the
/// receiver sets less and says so in its hello. Memory is taken as bytes arrive, never on the
/// strength of a length.
pub const MESSAGE_BYTES_MAX: u64 = 1 << 40;

/// Least that a receiver may set instead of [`MESSAGE_BYTES_MAX`], in bytes, so that statuses and the
/// texts of failures still get through.
pub const MESSAGE_BYTES_LEAST: u64 = 4096;

/// Largest out-of-band buffer table of a frame: the count is sent as a `u16`.
pub const BUFFERS_MAX: usize = u16::MAX as usize;

/// Bytes that are reserved at once for an announced length; more only after these have arrived.
pub const RESERVE_BYTES_MAX: usize = 1 << 20;

/// Deepest nesting of plain data. Beyond it, recursion would endanger the stack.
pub const DEPTH_MAX: usize = 256;

/// Calls of one connection that are accepted and not yet answered. Further ones are refused with
/// [`FailureCode::Overloaded`](crate::FailureCode::Overloaded).
pub const CALLS_PER_CONNECTION_MAX: usize = 65_536;

/// Calls that wait for the executor, over all connections. Further ones are refused likewise.
pub const QUEUE_CALLS_MAX: usize = 262_144;

/// Bytes of the calls that wait for the executor, over all connections. A single call may exceed
/// it when nothing else waits.
pub const QUEUE_BYTES_MAX: u64 = 8 << 30;

/// Bytes that wait to be read by a slow peer, beside the largest message among them, before another
/// answer cuts the connection.
pub const OUTBOX_BYTES_MAX: usize = 256 << 20;

/// Bytes that wait to be read by a peer before no more of its requests are read.
pub const OUTBOX_PAUSE_BYTES: usize = 1 << 20;

/// Connections that have not finished their handshake, by TCP and by the Unix socket each. One more
/// evicts the oldest of the silent or the answered ones, whichever are more, so that neither can keep
/// others out.
pub const HANDSHAKES_MAX: usize = 512;

/// Time for a handshake, in milliseconds, counted from the accept.
pub const HANDSHAKE_MS: u64 = 10_000;

/// Silence, in milliseconds, after which a waiting client asks the server for a sign of life.
pub const PING_AFTER_MS: u64 = 5_000;

/// Silence, in milliseconds, after which a waiting client calls the connection lost.
pub const SILENCE_MS: u64 = 30_000;

/// Longest text of an error (message or traceback) that is sent, in bytes.
pub const FAILURE_TEXT_BYTES_MAX: usize = 256 << 10;

/// Longest piece of a log in an answer, in bytes: a few of them fill no outbox and delay nobody.
pub const LOG_BYTES_MAX: usize = 64 << 10;

/// Longest place in a log, in bytes: a file, an offset and what is being looked for need 41.
pub const LOG_CURSOR_BYTES_MAX: usize = 64;

/// Longest text that says why there is no log to read, in bytes. It fits
/// [`MESSAGE_BYTES_LEAST`].
pub const LOG_ERROR_BYTES_MAX: usize = 1024;

/// Longest log request, in bytes, that is looked at. One needs fewer than 80; the rest is room for
/// later keys.
pub const LOG_REQUEST_BYTES_MAX: usize = 1024;

//! The bgpy protocol, without I/O.
//!
//! Bytes from a peer go in, events come out; bytes to send collect in an [`Outbox`]. Nothing here
//! opens a socket, reads a clock, starts a thread or knows Python, so that a test can run any
//! schedule of reads, writes and disconnects. `docs/spec/PROTOCOL.md` specifies the bytes.
//!
//! The types follow the phases of a connection: a [`handshake`] is consumed to yield a session
//! ([`ClientSession`] or [`ServerSession`]), and only a session creates a [`Delivered`] message,
//! the only thing that may be unpickled.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod abort;
pub mod buffer;
pub mod client;
pub mod codec;
pub mod debug;
pub mod failure;
pub mod frame;
pub mod framing;
pub mod handshake;
pub mod head;
pub mod hello;
pub mod jobs;
pub mod limits;
pub mod log;
pub mod methods;
pub mod outbox;
pub mod progress;
pub mod replay;
pub mod request;
pub mod server;
pub mod status;
pub mod supply;
pub mod token;

mod callbacks;
mod caller;
mod cause;
mod delivered;
mod error;
mod flow;
mod open;
mod pending;
mod receiver;
mod seal;

pub use abort::{AbortReply, AbortRequest, Aborted};
pub use buffer::{Buffer, Memory};
pub use caller::Room;
pub use cause::{Cause, Exceptions};
pub use client::ClientSession;
pub use debug::{DebugReply, DebugRequest};
pub use delivered::Delivered;
pub use error::ProtocolError;
pub use failure::{Failure, FailureCode};
pub use frame::{Frame, Kind, Payload, Want};
pub use head::{CallHead, Chain};
pub use hello::{ClientHello, Id, ServerHello};
pub use jobs::{JobInfo, JobState, JobsReply, JobsRequest};
pub use log::{LogCursor, LogPiece, LogReply, LogRequest};
pub use methods::{MethodTable, MethodsReply};
pub use outbox::Outbox;
pub use progress::Progress;
pub use replay::Replays;
pub use request::{CallKind, Request};
pub use server::ServerSession;
pub use status::{State, Status};
pub use supply::Supply;
pub use token::{Psk, Token};

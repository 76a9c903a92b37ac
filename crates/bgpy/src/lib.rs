//! Keep a piece of Python or Rust alive in the background and call it from anywhere.
//!
//! This crate does the I/O around [`bgpy_proto`]: the blocking [`Client`], the [`Server`] with its
//! leader/follower reactor, [starting](start) servers in the background, and the
//! [registry] by which processes of one user find them. It knows nothing of Python: tasks run
//! behind the [`Executor`] trait, which [`Service`] implements for Rust closures.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

// From the ground up: each module knows those before it, and none behind it.
pub mod address;
pub mod client;
mod clock;
pub mod config;
pub mod durable;
pub mod ending;
pub mod error;
pub mod escape;
pub mod fork;
pub mod launch;
pub mod log;
mod memory;
pub mod name;
mod nesting;
mod os_path;
mod platform;
pub mod registry;
pub mod restart;
pub mod server;
pub mod shutdown;
mod spin;
pub mod start;
pub mod supervisor;
pub mod survey;
mod sync;
pub mod target;
mod token;
mod transport;
mod wait;

#[cfg(test)]
mod simulation;

pub use bgpy_proto::codec::{self, Value};
pub use bgpy_proto::{
    Buffer, CallKind, Delivered, Failure, FailureCode, LogCursor, LogPiece, LogReply, LogRequest,
    Memory, Payload, State, Status, Token, Want, limits,
};
pub use client::{Client, ClientOptions, Link, Response};
pub use error::{CallError, ConnectError, ServeError, StartError};
pub use log::{Journal, Level};
pub use memory::reuse;
pub use name::Name;
pub use platform::{Presence, ProcessId};
pub use restart::Restart;
pub use server::{Ended, Executor, Reply, Server, ServerOptions, Service};
pub use survey::ServerInfo;
pub use target::Target;
pub use transport::can_listen;
pub use wait::Wait;

/// Version of bgpy.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

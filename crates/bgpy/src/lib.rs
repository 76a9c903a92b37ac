//! Keep a piece of Python or Rust alive in the background and call it from anywhere.
//!
//! This crate does the I/O around [`bgpy_proto`]: the blocking [`Client`], the [`Server`] with its
//! leader/follower reactor, [starting](spawn) servers in the background, and the
//! [registry] by which processes of one user find them. It knows nothing of Python: tasks run
//! behind the [`Executor`] trait, which [`Service`] implements for Rust closures.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod address;
pub mod attach;
pub mod client;
mod clock;
pub mod ending;
pub mod error;
pub mod escape;
pub mod journal;
mod keepalive;
mod lack;
pub mod logs;
pub mod name;
pub mod parts;
pub mod registry;
pub mod restart;
pub mod server;
pub mod signals;
pub mod spawn;
pub mod supervisor;
pub mod survey;
pub mod target;

mod fork;
mod keeper;
mod memory;
mod nesting;
#[cfg(not(target_os = "linux"))]
#[path = "no_segments.rs"]
mod segments;
#[cfg(target_os = "linux")]
mod segments;

mod os_path;
mod platform;
#[cfg(test)]
mod simulation;
mod spare;
mod spin;
mod sync;
mod writer;

use std::sync::atomic::{AtomicU32, Ordering};

pub use bgpy_proto::codec::{self, Value};
pub use bgpy_proto::{
    Buffer, CallKind, Delivered, Failure, FailureCode, LogCursor, LogPiece, LogReply, LogRequest,
    Memory, Payload, State, Status, Token, Want, limits,
};
pub use client::{Client, ClientOptions, Link, Response, Wait};
pub use error::{CallError, ConnectError, ServeError, StartError};
pub use journal::{Journal, Level};
pub use name::Name;
pub use restart::Restart;
pub use server::{Ended, Executor, Reply, Server, ServerOptions, Service};
pub use spare::reuse;
pub use survey::ServerInfo;
pub use target::Target;

/// Whether this process is a copy of another one, which a task or a script has made. That of a server
/// beside its supervisor does not count: nobody knows another one.
pub fn is_forked() -> bool {
    platform::fork_generation() > OWN_GENERATION.load(Ordering::Relaxed)
}

/// Lets this process count as nobody's copy.
#[cfg(unix)]
pub(crate) fn be_nobodys_copy() {
    OWN_GENERATION.store(platform::fork_generation(), Ordering::Relaxed);
}

static OWN_GENERATION: AtomicU32 = AtomicU32::new(0);

/// Version of bgpy.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A number that differs between a process and its forked children, for executors whose tasks may fork.
pub fn fork_generation() -> u32 {
    platform::fork_generation()
}

/// Ends a child that a task has forked, at once: nothing of its parent runs in it.
pub fn exit_child(code: i32) -> ! {
    platform::exit_now(code)
}

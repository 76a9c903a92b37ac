//! Keep a Python or Rust process alive in the background, and call it from anywhere.
//!
//! This crate does the I/O around [`bgpy_proto`]: the blocking [`Client`], the [`Server`] with its
//! leader/follower reactor, [starting](start) servers in the background, and the
//! [registry] by which processes of one user find them. It knows nothing of Python: tasks run
//! behind the [`Executor`] trait, which [`Service`] implements for Rust closures.
//!
//! ```
//! use std::time::Duration;
//!
//! use bgpy::address::Address;
//! use bgpy::{Client, ClientOptions, Server, ServerOptions, Service, Token, Value, Wait};
//!
//! let token = Token::generate(32);
//! let options = ServerOptions { token: Some(token.clone()), registry: None, ..Default::default() };
//! let server = Server::bind(&Address::new("127.0.0.1", 0), options)?;
//! let address = Address::new("127.0.0.1", server.address().port());
//! let thread = std::thread::spawn(move || {
//!     server.run(&mut Service::new(
//!         |_| Ok(0),
//!         |sum, by| {
//!             *sum += by.as_u64().unwrap_or(1);
//!             Ok(Some(Value::from(*sum)))
//!         },
//!     ))
//! });
//!
//! let client = Client::new(address, ClientOptions { token: Some(token), ..Default::default() });
//! let wait = Wait::at_most(Duration::from_secs(10));
//! client.initialize(Value::Nil.encode()?.into(), &wait)?;
//! let answer = client.call(Value::from(42_u64).encode()?.into(), &wait)?;
//! assert_eq!(answer.message.value()?.as_u64(), Some(42));
//! client.terminate(Value::Nil.encode()?.into(), &wait)?;
//! # thread.join().unwrap();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(not(test), warn(clippy::unwrap_used))]
// Systems without supervisors, forks or shared memory do not use all of what those need.
#![cfg_attr(not(unix), allow(dead_code, unused_imports))]

pub mod address;
pub mod client;
pub mod config;
pub mod error;
pub mod log;
pub mod name;
pub mod registry;
pub mod restart;
pub mod server;
pub mod start;
pub mod survey;
pub mod target;

// For the other crates of bgpy: not part of the public interface, and may change.
#[doc(hidden)]
pub mod bootstrap;
#[doc(hidden)]
pub mod deadlock;
#[doc(hidden)]
pub mod durable;
#[doc(hidden)]
pub mod duration;
#[doc(hidden)]
pub mod escape;
#[doc(hidden)]
pub mod fork;
#[doc(hidden)]
pub mod misspelling;
#[doc(hidden)]
pub mod notices;
#[doc(hidden)]
pub mod shutdown;
#[doc(hidden)]
pub mod supervisor;
#[doc(hidden)]
pub mod termination;
#[doc(hidden)]
pub mod watch;

mod clock;
mod memory;
mod os_path;
mod platform;
#[cfg(test)]
mod simulation;
mod spin;
mod sync;
mod token;
mod transport;
mod wait;

/// Values of messages, and Rust's own types as such values.
pub mod codec {
    pub use bgpy_proto::codec::{
        CodecError, Date, DateTime, Member, Path, PathKind, Span, Time, TypedError, Value, Zone,
        from_slice, from_value, to_value, to_vec,
    };
}

/// The methods of a server's object.
pub mod methods {
    pub use bgpy_proto::methods::{
        Method, MethodKind, MethodTable, MethodsReply, Parameter, ParameterKind, Runs,
    };
}

/// The jobs of a server: calls that live on without their caller.
pub mod jobs;

pub use bgpy_proto::{
    AbortReply, AbortRequest, Aborted, Buffer, CallHead, CallKind, Cause, Chain, DebugReply,
    DebugRequest, Delivered, Exceptions, Failure, FailureCode, Id, JobsReply, LogCursor, LogPiece,
    LogReply, LogRequest, Memory, MethodTable, MethodsReply, Payload, Progress, Room, State,
    Status, Token, Want, limits,
};
pub use client::{
    Answer, Call, CallHandle, Client, ClientOptions, JobSubmission, Link, Question, Response, Step,
};
pub use codec::Value;
pub use error::{CallError, ConnectError, ServeError, StartError};
pub use log::{Level, Log};
#[doc(hidden)]
pub use memory::reuse;
pub use name::Name;
pub use platform::Presence;
#[doc(hidden)]
pub use platform::SignalFile;
pub use restart::Restart;
pub use server::{Ended, Executor, Pace, Reply, Server, ServerOptions, Service};
pub use survey::ServerInfo;
pub use target::Target;
#[doc(hidden)]
pub use transport::can_listen;
pub use wait::{Wait, Withdrawal};

/// Version of bgpy.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

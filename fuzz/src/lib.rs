//! What is done with a fuzzed input, and what must be true then.
//!
//! One function for each decoder. `cargo fuzz run NAME` calls it for libFuzzer; the seeded loop in
//! `crates/bgpy-proto/tests/fuzz` includes this file, and calls it for a million inputs in every
//! test run. Each function panics when its oracle is wrong, and tells whether the input got past
//! the decoder, so that a loop can see that its inputs reach something.

mod client;
mod frame;
mod handshake;
mod payload;
mod server;
mod session;

pub use client::Client;
pub use frame::frame;
pub use handshake::handshake;
pub use payload::payload;
pub use server::{Server, Stream};
pub use session::session;

//! A client and a server that are joined by bytes in memory.
//!
//! [`world`] plays thousands of seeded schedules of calls, streams, callbacks, partial writes, odd reads
//! and disconnects, and compares what arrives with a [`model`]. [`trust`] plays the attacks, and [`order`],
//! [`order_of_calls`] and [`order_of_streams`] what an honest peer never sends. Keys are random, but no length and no
//! order depends on them, so that a seed fixes a schedule.

mod contents;
mod link;
mod memory;
#[path = "../meter/mod.rs"]
mod meter;
mod model;
mod order;
mod order_of_calls;
mod order_of_streams;
mod player;
#[path = "../random/mod.rs"]
mod random;
mod stream;
mod trust;
mod world;

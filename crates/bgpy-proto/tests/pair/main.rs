//! A client and a server that are joined by bytes in memory.
//!
//! [`world`] plays thousands of seeded schedules of calls, partial writes, odd reads and
//! disconnects, and compares what arrives with a [`model`]. [`trust`] plays the attacks, and
//! [`order`] the answers that an honest server never gives. Keys are random, but no length and no
//! order depends on them, so that a seed fixes a schedule.

mod link;
mod memory;
mod model;
mod order;
#[path = "../random/mod.rs"]
mod random;
mod trust;
mod world;

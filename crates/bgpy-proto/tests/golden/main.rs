//! The wire, pinned byte for byte by the vectors in this directory.
//!
//! The vectors were not made by this crate: `make.py` derives them from the specification with
//! other libraries. Each test takes every vector of its file, and each vector both ways where the
//! crate lets it. [`recorded`] is what bgpy 1.0 sent.

mod codec;
mod frame;
mod handshake;
mod limits;
mod link;
mod message;
mod recorded;
mod vectors;

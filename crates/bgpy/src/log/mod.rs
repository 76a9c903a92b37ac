//! The log of a server or a client: leveled lines with time and zone, rotated by size, and read while they are
//! written.

mod file;
mod level;
pub mod read;
mod record;
mod remains;
mod write;
mod writer;

#[cfg(test)]
pub(crate) use file::aged;
pub use level::Level;
pub(crate) use record::record;
pub use record::{time, when};
pub(crate) use remains::LISTENS;
pub use remains::{INITIALISED, ROTATED_AWAY, TAKING};
pub use write::{Journal, Stream};
pub(crate) use writer::Loss;

//! The log of a server or a client: leveled lines with time and zone, rotated by size, and read while they are
//! written.

mod excerpt;
mod file;
mod handle;
mod level;
#[doc(hidden)]
pub mod read;
mod record;
mod writer;

pub(crate) use excerpt::{LISTENS, READY};
#[cfg(test)]
pub(crate) use file::aged;
pub use handle::Log;
#[doc(hidden)]
pub use handle::StandardStream;
pub use level::Level;
pub(crate) use record::record;
#[doc(hidden)]
pub use record::{Parts, parts, time, when};
pub(crate) use writer::Loss;

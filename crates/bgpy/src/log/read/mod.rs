//! Reading a log that is being written, and rotated, by other processes.

mod cursor;
mod files;
mod search;
mod tail;

pub(crate) use files::open;
pub use tail::{Begin, Tail, last_lines, remains};
pub(crate) use tail::{piece, put_off};

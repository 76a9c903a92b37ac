//! Reading a log that is being written, and rotated, by other processes.

mod cursor;
mod files;
mod last;
mod prints;
mod search;
mod tail;

pub(crate) use files::open;
pub use last::{last_lines, last_words};
pub use prints::Prints;
pub(crate) use tail::put_off;
pub use tail::{Begin, Tail, piece, remains};

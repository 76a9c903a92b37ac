//! What a server's process and the one that starts it tell each other: orders on standard input, a report on
//! standard output.

mod orders;
mod report;

pub(crate) use orders::{Inheritance, Orders};
pub use report::{Report, Reporter};

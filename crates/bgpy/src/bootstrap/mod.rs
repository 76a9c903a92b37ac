//! Messages between a server's process and its starter: orders on standard input, a report on
//! standard output.

mod orders;
mod report;

pub(crate) use orders::{Inheritance, Orders};
pub use report::{Report, StartReporter};

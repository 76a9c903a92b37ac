//! What can go wrong, one type an operation. Each message says what failed, on what, and what to do. What that
//! means in Python, or on the command line, is added there.

mod call;
mod connect;
mod serve;
mod start;
mod words;

pub use call::{CallError, Lost};
pub use connect::ConnectError;
pub use serve::ServeError;
pub use start::StartError;

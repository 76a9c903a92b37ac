//! Errors, one type per operation. Each message says what failed, on what, and what to do. Their
//! meaning in Python and on the command line is added there.

mod call;
mod connect;
mod kind;
mod serve;
mod start;
mod words;

pub use call::{CallError, Lost};
pub use connect::{AbsenceHint, ConnectError, Hindrance};
pub use kind::FailureKind;
pub use serve::ServeError;
pub use start::StartError;

//! Starting servers in the background, and attaching to those started by others.
//!
//! The parent sends [orders](crate::bootstrap) to the child's standard input and reads one report from
//! its standard output: ready, or why not. The child's standard error is the log from the start, so
//! its output is kept whatever happens. Neither arguments nor environment hold a secret.

#[doc(hidden)]
pub mod again;
pub mod attach;
mod background;
mod difference;
#[doc(hidden)]
pub mod interpreter;
#[doc(hidden)]
pub mod preflight;
mod replace;
mod starting_child;

pub use background::{Background, start};
pub use replace::replace;

// For the other crates of bgpy.
#[doc(hidden)]
pub use background::start_unwatched;
#[doc(hidden)]
pub use difference::differences;
#[doc(hidden)]
pub use replace::{renew, settings};

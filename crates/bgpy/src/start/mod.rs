//! Starting servers in the background, and finding those that were started by others.
//!
//! The parent gives its [orders](crate::launch) on the child's standard input and reads one report from its
//! standard output: ready, or why not. The child's standard error is the log from the start, so
//! that its own words are there whatever happens. Neither arguments nor environment hold a secret.

pub mod attach;
mod background;
mod starting_child;

pub use background::{Background, start, start_unwatched};

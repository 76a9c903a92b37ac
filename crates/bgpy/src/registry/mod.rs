//! How processes of one user find their servers: a private directory with one entry per server.

mod claim;
mod directory;
mod entry;
mod files;
mod leftovers;
mod machine;
mod meant;
mod prune;
mod write;

#[doc(hidden)]
pub use claim::Claim;
pub use directory::{DIRECTORY_VARIABLE, Registry};
pub(crate) use entry::is_of_this_machine;
pub use entry::{Ending, Entry};
pub(crate) use files::{beside, vacate};
#[doc(hidden)]
pub use leftovers::{Kind, Leftover};
pub(crate) use meant::Meant;
pub(crate) use write::put;

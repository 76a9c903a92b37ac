//! The commands, each with its options.

pub(crate) mod server;
pub(crate) mod terminate;
pub(crate) mod version;

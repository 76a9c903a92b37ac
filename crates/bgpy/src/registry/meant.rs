//! Which entries a target means.

use std::net::SocketAddr;

use super::{Entry, Registry};
use crate::target::Target;

/// The entries of a registry that a target means, whether their servers run or have ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meant<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) target: &'a Target,
    /// The addresses of a target that is one.
    pub(crate) addresses: &'a [SocketAddr],
}

impl Target {
    /// The addresses of a target that is one; none if its host name is unknown.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        match self {
            Self::Address(address) => address.resolve().unwrap_or_default(),
            Self::Name(_) | Self::Socket(_) => Vec::new(),
        }
    }
}

impl Meant<'_> {
    /// Whether the target means this entry.
    pub(crate) fn includes(&self, entry: &Entry) -> bool {
        match self.target {
            Target::Name(name) => entry.name.as_ref() == Some(name),
            // The record of a server that accepts no more calls names no socket.
            Target::Socket(path) => self.registry.socket_path_of(entry) == *path,
            Target::Address(_) => self.addresses.iter().any(|address| entry.serves(*address)),
        }
    }
}

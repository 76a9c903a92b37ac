//! Why a server could not be set up.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::FailureKind;
use crate::name::Name;
use crate::platform::WithLimit;

/// Why a server could not be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The host name cannot be resolved.
    #[error("the host name '{host}' cannot be resolved: {}", WithLimit(source))]
    Resolve {
        /// The name.
        host: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// The address is in use.
    #[error(
        "{address} is in use: another program listens there; stop it, or choose another port (0 takes a free \
         one)"
    )]
    AddressInUse {
        /// `host:port`.
        address: String,
    },
    /// The address is in use by a server of this user.
    #[error(
        "{address} is in use: your server '{server}' (process {pid}) listens there; connect to it, stop it \
         (`bgpy stop {server}`), or choose another port (0 takes a free one)"
    )]
    AddressOfServer {
        /// `host:port`.
        address: String,
        /// The target of that server.
        server: String,
        /// Its process.
        pid: u32,
    },
    /// The system rejects the address.
    #[error("cannot listen on {address}: {}", WithLimit(source))]
    Bind {
        /// `host:port`.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// A weak token on an address that other machines can reach.
    #[error(
        "the token for {address} can be guessed, and other machines can reach that address: generate one with \
         `bgpy token create`"
    )]
    WeakToken {
        /// `host:port`.
        address: String,
    },
    /// No authentication on an address that other machines can reach.
    #[error(
        "a server without authentication is refused on {address}, which other machines can reach: anybody who \
         connects could run code there"
    )]
    Unprotected {
        /// `host:port`.
        address: String,
    },
    /// A server of this user has the name.
    #[error(
        "a server named '{name}' is already running: stop it (`bgpy stop {name}`) or choose another name"
    )]
    NameTaken {
        /// The name.
        name: Name,
    },
    /// The process of an earlier server with this name still exists.
    #[error(
        "the name '{name}' is not free yet (process {pid}): {hindrance}. End it with `bgpy kill {name}`, or \
         choose another name"
    )]
    NameHeld {
        /// The name.
        name: Name,
        /// Its process.
        pid: u32,
        /// Why it still exists, as text.
        hindrance: String,
    },
    /// The registry cannot be used, so that clients could find neither the generated token nor the
    /// name.
    #[error("{}", Unusable { directory: directory.as_deref(), source })]
    Registry {
        /// Its directory, if there is a place for one.
        directory: Option<PathBuf>,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The operating system refused a resource that every server needs.
    #[error("cannot set up the server: {}", WithLimit(.0))]
    Io(#[from] io::Error),
}

impl ServeError {
    /// What a background server reports to its starter.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Resolve { .. } | Self::Unprotected { .. } => FailureKind::Config,
            Self::WeakToken { .. } => FailureKind::WeakToken,
            Self::AddressInUse { .. } | Self::AddressOfServer { .. } => FailureKind::AddressInUse,
            Self::NameTaken { .. } => FailureKind::NameTaken,
            Self::NameHeld { .. } => FailureKind::NameHeld,
            Self::Bind { .. } | Self::Registry { .. } | Self::Io(_) => FailureKind::Other,
        }
    }
}

/// The message for an unusable registry.
struct Unusable<'a> {
    directory: Option<&'a Path>,
    source: &'a io::Error,
}

impl fmt::Display for Unusable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { directory, source } = self;
        match directory {
            None => write!(
                f,
                "there is no place to keep the server's name in: {source}; or start the server without a name"
            ),
            Some(directory) => write!(
                f,
                "cannot keep the server's name and token in {}: {}; repair the directory, point \
                 BGPY_RUNTIME_DIR elsewhere, or pass a token and no name",
                directory.display(),
                WithLimit(source)
            ),
        }
    }
}

//! Why a server could not be set up.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::name::Name;
use crate::platform::WithLimit;

/// Why a server could not be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The host name means nothing.
    #[error("the host name '{host}' cannot be resolved: {}", WithLimit(source))]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The address is taken.
    #[error(
        "{address} is in use: another program listens there; stop it, or choose another port (0 takes a free \
         one)"
    )]
    AddressInUse {
        /// `host:port`.
        address: String,
    },
    /// The address is taken, by a server of this user.
    #[error(
        "{address} is in use: your server '{server}' (process {pid}) listens there; connect to it, stop it \
         (`bgpy stop {server}`), or choose another port (0 takes a free one)"
    )]
    AddressOfServer {
        /// `host:port`.
        address: String,
        /// What the server there is called.
        server: String,
        /// Its process.
        pid: u32,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", WithLimit(source))]
    Bind {
        /// `host:port`.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A token that can be guessed, on an address that others reach.
    #[error(
        "the token for {address} can be guessed, and other machines can reach that address: generate one with \
         `bgpy token create`, or allow this one with --allow-weak-token (allow_weak_token=True)"
    )]
    WeakToken {
        /// `host:port`.
        address: String,
    },
    /// No authentication, on an address that others reach.
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
        "a server named '{name}' is already running: connect to it, stop it, or choose another name"
    )]
    NameTaken {
        /// The name.
        name: Name,
    },
    /// The process of an earlier server of the name is still there.
    #[error(
        "the name '{name}' is not free yet (process {pid}): {hindrance}. End it with `bgpy kill {name}`, or \
         choose another name"
    )]
    NameHeld {
        /// The name.
        name: Name,
        /// Its process.
        pid: u32,
        /// Why it is, in words.
        hindrance: String,
    },
    /// The registry cannot be used, so that nobody could find the generated token or the name.
    #[error("{}", Unusable { directory: directory.as_deref(), source })]
    Registry {
        /// Its directory, where there is a place for one.
        directory: Option<PathBuf>,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The operating system refused something that every server needs.
    #[error("cannot set up the server: {}", WithLimit(.0))]
    Io(#[from] io::Error),
}

impl ServeError {
    /// A short name that survives the way from a background server to whoever starts it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Resolve { .. } | Self::WeakToken { .. } | Self::Unprotected { .. } => "config",
            Self::AddressInUse { .. } | Self::AddressOfServer { .. } => "address-in-use",
            Self::NameTaken { .. } => "name-taken",
            Self::NameHeld { .. } => "name-held",
            Self::Bind { .. } | Self::Registry { .. } | Self::Io(_) => "start",
        }
    }
}

/// What is said of a registry that cannot be used.
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
                "there is no place to keep the server's name in: {source}, or start it without a name"
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

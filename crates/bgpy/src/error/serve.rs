//! Why a server could not be set up.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::name::Name;
use crate::platform::WithLimit;

/// Why a server could not be set up.
#[derive(Debug)]
pub enum ServeError {
    /// The host name means nothing.
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The address is taken.
    AddressInUse {
        /// `host:port`.
        address: String,
    },
    /// The address is taken, by a server of this user.
    AddressOfServer {
        /// `host:port`.
        address: String,
        /// What the server there is called.
        server: String,
        /// Its process.
        pid: u32,
    },
    /// The address cannot be listened on.
    Bind {
        /// `host:port`.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A token that can be guessed, on an address that others reach.
    WeakToken {
        /// `host:port`.
        address: String,
    },
    /// No authentication, on an address that others reach.
    Unprotected {
        /// `host:port`.
        address: String,
    },
    /// A server of this user has the name.
    NameTaken {
        /// The name.
        name: Name,
    },
    /// The process of an earlier server of the name is still there.
    NameHeld {
        /// The name.
        name: Name,
        /// Its process.
        pid: u32,
        /// Why it is, in words.
        hindrance: String,
    },
    /// The registry cannot be used, so that nobody could find the generated token or the name.
    Registry {
        /// Its directory, where there is a place for one.
        directory: Option<PathBuf>,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The operating system refused something that every server needs.
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host, source } => {
                write!(f, "the host name '{host}' cannot be resolved: {}", WithLimit(source))
            }
            Self::AddressInUse { address } => write!(
                f,
                "{address} is in use: another program listens there; stop it, or choose another \
                 port (0 takes a free one)"
            ),
            Self::AddressOfServer { address, server, pid } => write!(
                f,
                "{address} is in use: your server '{server}' (process {pid}) listens there; connect to \
                 it, end it (`bgpy stop {server}`), or choose another port (0 takes a free one)"
            ),
            Self::Bind { address, source } => {
                write!(f, "cannot listen on {address}: {}", WithLimit(source))
            }
            Self::WeakToken { address } => write!(
                f,
                "the token for {address} can be guessed, and the address is reachable from other \
                 machines: let `bgpy token create` or token_create() make one, or force this one with \
                 --allow-weak-token, in Python allow_weak_token=True"
            ),
            Self::Unprotected { address } => write!(
                f,
                "a server without authentication is refused on {address}, which other machines \
                 reach: whoever connects could run code there"
            ),
            Self::NameTaken { name } => write!(
                f,
                "a server named '{name}' runs already: stop it, connect to it, or take another \
                 name"
            ),
            Self::NameHeld { name, pid, hindrance } => write!(
                f,
                "the name '{name}' is not free yet (process {pid}): {hindrance}. End it with \
                 `bgpy kill {name}`, or take another name"
            ),
            Self::Registry { directory: None, source } => write!(
                f,
                "there is no place to keep the server's name in: {source}, or take no name"
            ),
            Self::Registry { directory: Some(directory), source } => write!(
                f,
                "cannot keep the server's name and token in {}: {}; mend the directory, \
                 point BGPY_RUNTIME_DIR elsewhere, or pass a token and no name",
                directory.display(),
                WithLimit(source)
            ),
            Self::Io(source) => write!(f, "cannot set up the server: {}", WithLimit(source)),
        }
    }
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

impl std::error::Error for ServeError {}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

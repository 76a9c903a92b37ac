//! How a client behaves.

use bgpy_proto::{Token, limits};

use crate::log::Log;

/// How a client behaves, with defaults for all of it.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The server's token; without one it is looked for in the registry, then in `BGPY_TOKEN`.
    pub token: Option<Token>,
    /// Whether the server has to prove that it knows the token. Without, a server on this machine that
    /// wants no token is taken as well, whoever runs it; where a token is known, it is proven all the
    /// same.
    pub auth: bool,
    /// Version of Python, to be told to the server.
    pub python: Option<String>,
    /// Longest message that is taken from the server, in bytes.
    pub message_bytes_max: u64,
    /// Whether the client opens pickles; the server sends none if not.
    pub allow_pickle: bool,
    /// Whether a server on this machine may be reached by its Unix socket instead of TCP.
    pub unix_socket: bool,
    /// Where the client logs.
    pub log: Log,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            token: None,
            auth: true,
            python: None,
            message_bytes_max: limits::MESSAGE_BYTES_MAX,
            allow_pickle: true,
            unix_socket: true,
            log: Log::silent(),
        }
    }
}

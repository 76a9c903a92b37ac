//! Options of a client.

use bgpy_proto::{Token, limits};

use crate::log::Log;

/// Options of a client; all have defaults.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The server's token; by default that of the registry, then that of `BGPY_TOKEN`.
    pub token: Option<Token>,
    /// Whether the server must prove that it knows the token. If not, an unauthenticated server on
    /// this machine is accepted as well, whoever runs it; if a token is known, it is proven anyway.
    pub auth: bool,
    /// The version of Python, announced to the server.
    pub python: Option<String>,
    /// The longest message accepted from the server, in bytes.
    pub message_bytes_max: u64,
    /// Whether the client accepts pickles; the server sends none if not.
    pub allow_pickle: bool,
    /// Whether a server on this machine may be reached by its Unix socket instead of TCP.
    pub unix_socket: bool,
    /// The log.
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

//! How a server behaves.

use std::time::Duration;

use bgpy_proto::{Id, Token, limits};

use crate::config::Config;
use crate::log::Log;
use crate::name::Name;
use crate::registry::Registry;

/// How a server behaves, with defaults for all of it.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The token; without one that of `BGPY_TOKEN` is taken, or one is made up.
    pub token: Option<Token>,
    /// Whether clients have to prove the token. Those that find it in the registry do so anyway: the
    /// proof is mutual, so they know that it is this server which answers.
    pub auth: bool,
    /// Whether a token that can be guessed is taken on an address that other machines reach.
    pub allow_weak_token: bool,
    /// Version of Python, to be told to clients.
    pub python: Option<String>,
    /// Longest message that is taken from a client, in bytes.
    pub message_bytes_max: u64,
    /// Whether the server opens pickles; clients send none if not.
    pub allow_pickle: bool,
    /// Where the server leaves word of itself; none leaves none.
    pub registry: Option<Registry>,
    /// The server's identity.
    pub instance: Id,
    /// Its name, which no other server of this user has while it runs.
    pub name: Option<Name>,
    /// How long nobody may call before the server ends by itself.
    pub idle_timeout: Option<Duration>,
    /// Whether this process is there for the server alone, and ends with it.
    pub owns_process: bool,
    /// What it was told when it was started, to be kept for a restart.
    pub config: Option<Config>,
    /// Where it logs.
    pub log: Log,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            token: None,
            auth: true,
            allow_weak_token: false,
            python: None,
            message_bytes_max: limits::MESSAGE_BYTES_MAX,
            allow_pickle: true,
            registry: Registry::of_user().ok(),
            instance: Id::random(),
            name: None,
            idle_timeout: None,
            owns_process: false,
            config: None,
            log: Log::silent(),
        }
    }
}

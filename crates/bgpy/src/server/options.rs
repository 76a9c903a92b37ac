//! Options of a server.

use std::time::Duration;

use bgpy_proto::{Id, Token, limits};

use crate::config::{Config, usual_threads};
use crate::log::Log;
use crate::name::Name;
use crate::registry::Registry;

/// Options of a server; all have defaults.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The token; by default that of `BGPY_TOKEN`, or a generated one.
    pub token: Option<Token>,
    /// Whether clients must prove that they know the token. Clients that find it in the registry do
    /// so in any case: the proof is mutual, so it authenticates the server to them.
    pub auth: bool,
    /// Whether a weak token is accepted on an address that other machines can reach.
    pub allow_weak_token: bool,
    /// The version of Python, announced to clients.
    pub python: Option<String>,
    /// The longest message accepted from a client, in bytes.
    pub message_bytes_max: u64,
    /// Whether the server accepts pickles; clients send none if not.
    pub allow_pickle: bool,
    /// The registry for the server's entry; `None` for no entry.
    pub registry: Option<Registry>,
    /// The server's identity.
    pub instance: Id,
    /// Its name, unique among this user's servers while it runs.
    pub name: Option<Name>,
    /// The server ends after this time without a call.
    pub idle_timeout: Option<Duration>,
    /// How many methods that [only read](crate::methods::Runs::Read) run beside each other, each on a thread.
    pub threads: usize,
    /// Whether this process exists for the server alone and ends with it.
    pub owns_process: bool,
    /// Its configuration at the start, kept for a restart.
    pub config: Option<Config>,
    /// The log.
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
            threads: usual_threads(),
            owns_process: false,
            config: None,
            log: Log::silent(),
        }
    }
}

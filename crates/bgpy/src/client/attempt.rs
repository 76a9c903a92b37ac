//! What a client shows to a server, and what it demands of it: which token, and which proof.

use bgpy_proto::handshake::Suite;
use bgpy_proto::{ClientHello, Id, Psk, Token};

use super::greeting::{Greeting, Key};
use super::options::ClientOptions;
use super::proof::Proof;
use super::route::{Route, Way};
use crate::error::ConnectError;
use crate::memory::segments;
use crate::registry::Entry;
use crate::token::token_of_environment;

/// An attempt to reach a server, by any number of routes.
pub(super) struct Attempt<'a> {
    pub(super) options: &'a ClientOptions,
    /// The client's identity.
    pub(super) id: Id,
    /// What a server has proven before.
    pub(super) proven: Proof,
}

impl Attempt<'_> {
    /// The handshake with the server at the end of a route.
    ///
    /// # Errors
    /// [`ConnectError::Unprotected`] if the caller asks for no proof where it needs one.
    pub(super) fn greeting(&self, server: &str, route: &Route) -> Result<Greeting, ConnectError> {
        let entry = route.entry.as_deref();
        let token = self.token(entry);
        let (suite, process) = match &route.way {
            // There is no network in between.
            Way::File(_) => (Suite::Clear, entry.map(|entry| entry.process.pid)),
            Way::Tcp(address) => {
                if self.wants_no_proof() && token.is_none() && !address.ip().is_loopback() {
                    return Err(ConnectError::Unprotected { server: server.to_owned() });
                }
                (sealed_suite(), None)
            }
        };
        let is_open = token.is_none() && (self.wants_no_proof() || self.is_own(suite, entry));
        let psk = match &token {
            Some(token) => token.psk(),
            None if is_open => Psk::open(),
            // A random key tells a bgpy server, which closes silently, from other programs, and
            // reveals nothing.
            None => Psk::unknown(),
        };
        let registered = entry.and_then(|entry| entry.token.as_deref());
        let is_registered = token.as_ref().is_some_and(|it| registered == Some(it.expose()));
        let key = Key {
            psk,
            proof: Proof::by(token.as_ref()),
            has_token: token.is_some(),
            is_registered,
            is_open,
            was_proven: self.proven != Proof::None,
            is_known: entry.is_some(),
        };
        Ok(Greeting::new(server.to_owned(), suite, key, self.hello(), process))
    }

    fn hello(&self) -> ClientHello {
        ClientHello {
            client: self.id,
            bgpy: crate::VERSION.to_owned(),
            python: self.options.python.clone(),
            pid: u64::from(std::process::id()),
            message_bytes_max: self.options.message_bytes_max,
            segments: segments::SUPPORTED,
            allow_pickle: self.options.allow_pickle,
            goodbye: true,
            calls: true,
        }
    }

    /// Whether a server has proven that it knows this token.
    fn has_proven(&self, token: &Token) -> bool {
        Proof::by(Some(token)) == self.proven
    }

    /// Whether the caller accepts a server that proves nothing.
    fn wants_no_proof(&self) -> bool {
        !self.options.auth && self.proven == Proof::None
    }

    /// Whether only this user can be running the server: it was found in the user's own registry
    /// and reached by its socket there. Servers of bgpy 1.0 may be there without a token.
    fn is_own(&self, suite: Suite, entry: Option<&Entry>) -> bool {
        suite == Suite::Clear && entry.is_some() && self.proven == Proof::None
    }

    /// The given token, else that of the registry, else that of the environment. The registry takes
    /// precedence over the environment because it has the token that the server really uses.
    fn token(&self, entry: Option<&Entry>) -> Option<Token> {
        match (&self.options.token, entry) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(entry)) => entry.token(),
            // An explicit `auth=False` takes precedence over the environment.
            (None, None) => token_of_environment()
                .filter(|_| self.options.auth)
                .filter(|token| matches!(self.proven, Proof::None) || self.has_proven(token)),
        }
    }
}

/// AES where the CPU has instructions for it, which only old ARM boards lack.
fn sealed_suite() -> Suite {
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        Suite::AesGcm
    } else {
        Suite::ChaChaPoly
    }
}

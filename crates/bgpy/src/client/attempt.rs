//! One attempt to reach a server: what every route needs, and which token to use.

use bgpy_proto::handshake::Suite;
use bgpy_proto::{Id, Token};

use super::options::ClientOptions;
use super::proof::Proof;
use crate::registry::Entry;
use crate::token::token_of_environment;
use crate::transport::dial::Dialer;

/// Several routes in turn, within one time limit.
pub(super) struct Attempt<'a> {
    pub(super) dialer: Dialer<'a>,
    pub(super) options: &'a ClientOptions,
    /// The client's identity.
    pub(super) id: Id,
    /// What a server has proven before.
    pub(super) proven: Proof,
}

impl Attempt<'_> {
    /// Whether a server has proven that it knows this token.
    fn has_proven(&self, token: &Token) -> bool {
        Proof::by(Some(token)) == self.proven
    }

    /// Whether the caller accepts a server that proves nothing.
    pub(super) fn wants_no_proof(&self) -> bool {
        !self.options.auth && self.proven == Proof::None
    }

    /// Whether only this user can be running the server: it was found in the user's own registry
    /// and reached by its socket there. Servers of bgpy 1.0 may be there without a token.
    pub(super) fn is_own(&self, suite: Suite, entry: Option<&Entry>) -> bool {
        suite == Suite::Clear && entry.is_some() && self.proven == Proof::None
    }

    /// The given token, else that of the registry, else that of the environment. The registry takes
    /// precedence over the environment because it has the token that the server really uses.
    pub(super) fn token(&self, entry: Option<&Entry>) -> Option<Token> {
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
pub(super) fn sealed_suite() -> Suite {
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        Suite::AesGcm
    } else {
        Suite::ChaChaPoly
    }
}

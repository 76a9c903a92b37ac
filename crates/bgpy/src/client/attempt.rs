//! An attempt to reach a server: what it needs, whichever way is taken, and which token it shows there.

use bgpy_proto::handshake::Suite;
use bgpy_proto::{Id, Token};

use super::options::ClientOptions;
use super::proof::Proof;
use crate::registry::Entry;
use crate::token::token_of_environment;
use crate::transport::dial::Dialer;

/// One way after the other, within one time limit.
pub(super) struct Attempt<'a> {
    pub(super) dialer: Dialer<'a>,
    pub(super) options: &'a ClientOptions,
    /// The client's identity.
    pub(super) id: Id,
    /// What a server has proven before.
    pub(super) proven: Proof,
}

impl Attempt<'_> {
    /// Whether a server has proven to know this token.
    fn has_proven(&self, token: &Token) -> bool {
        Proof::by(Some(token)) == self.proven
    }

    /// Whether the caller takes a server that proves nothing.
    pub(super) fn wants_no_proof(&self) -> bool {
        !self.options.auth && self.proven == Proof::None
    }

    /// Whether nobody but this user can be the server: it was found in the user's own registry, and has
    /// been reached by its socket there. Servers of bgpy 1.0 may stand there without a token.
    pub(super) fn is_own(&self, suite: Suite, entry: Option<&Entry>) -> bool {
        suite == Suite::Clear && entry.is_some() && self.proven == Proof::None
    }

    /// The token that was given, else the one of the registry, else that of the environment. The
    /// registry's comes first because it is what the server really uses.
    pub(super) fn token(&self, entry: Option<&Entry>) -> Option<Token> {
        match (&self.options.token, entry) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(entry)) => entry.token(),
            // Whoever says that no proof is wanted means that more than the environment does.
            (None, None) => token_of_environment()
                .filter(|_| self.options.auth)
                .filter(|token| matches!(self.proven, Proof::None) || self.has_proven(token)),
        }
    }
}

/// AES where the processor has instructions for it, which is everywhere but on old ARM boards.
pub(super) fn sealed_suite() -> Suite {
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        Suite::AesGcm
    } else {
        Suite::ChaChaPoly
    }
}

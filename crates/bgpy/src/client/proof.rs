//! What a server has proven of itself, below which its client never goes again.

use std::sync::atomic::{AtomicU8, Ordering};

use bgpy_proto::Token;

/// The environment variable that holds a token.
const TOKEN_VARIABLE: &str = "BGPY_TOKEN";

/// What a server has proven. One that is to prove more is not taken for less, once it is gone and another
/// program has its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Proof {
    /// Nothing: it wants no token.
    None,
    /// That it knows the token of the environment, which may be meant for another server as well.
    Environment,
    /// That it knows its own token, which was given or found in the registry.
    Own,
}

impl Proof {
    /// What it means that a server has proven to know this token.
    pub(super) fn by(token: Option<Token>) -> Self {
        match token {
            None => Self::None,
            token if token == token_of_environment() => Self::Environment,
            Some(_) => Self::Own,
        }
    }
}

/// The most that servers have proven to one client. A number, because a lock might be held for ever in a
/// forked child.
#[derive(Debug, Default)]
pub(super) struct HighestProof(AtomicU8);

impl HighestProof {
    pub(super) fn get(&self) -> Proof {
        match self.0.load(Ordering::Relaxed) {
            0 => Proof::None,
            1 => Proof::Environment,
            _ => Proof::Own,
        }
    }

    pub(super) fn raise(&self, proof: Proof) {
        self.0.fetch_max(proof as u8, Ordering::Relaxed);
    }
}

/// The token in `BGPY_TOKEN`, if there is one.
pub(crate) fn token_of_environment() -> Option<Token> {
    std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()).map(Token::new)
}

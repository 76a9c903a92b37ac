//! What a server has proven to a client; later connections must not prove less.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bgpy_proto::Token;

/// What a server has proven. Once a server has proven a token, one that proves none, or another one
/// from the environment, is rejected: the first may be gone, and another program may have its
/// address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing: the server uses no token.
    None,
    /// That it knows the token with this digest.
    Token(u64),
}

impl Proof {
    /// The proof of a server that has proven this token.
    pub(super) fn by(token: Option<&Token>) -> Self {
        // With a random key per process, so that no token with the same digest can be constructed.
        static KEY: OnceLock<RandomState> = OnceLock::new();
        token.map_or(Self::None, |token| {
            let digest = KEY.get_or_init(RandomState::new).hash_one(token.expose());
            Self::Token(digest.max(1))
        })
    }
}

/// The last proof that servers have given to one client. Atomic, because a lock might be held for
/// ever in a forked child.
#[derive(Debug, Default)]
pub(super) struct LastProof(AtomicU64);

impl LastProof {
    pub(super) fn get(&self) -> Proof {
        match self.0.load(Ordering::Relaxed) {
            0 => Proof::None,
            digest => Proof::Token(digest),
        }
    }

    pub(super) fn note(&self, proof: Proof) {
        if let Proof::Token(digest) = proof {
            self.0.store(digest, Ordering::Relaxed);
        }
    }
}

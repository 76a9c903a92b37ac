//! What a server has proven of itself, below which its client never goes again.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bgpy_proto::Token;

/// What a server has proven. One that is to prove a token is not taken without, or with another one of the
/// environment, once it is gone and another program has its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing: it wants no token.
    None,
    /// That it knows a token, of which this is a digest.
    Token(u64),
}

impl Proof {
    /// What it means that a server has proven to know this token.
    pub(super) fn by(token: Option<&Token>) -> Self {
        // With a key of this process, so that nobody can find another token of the same digest.
        static KEY: OnceLock<RandomState> = OnceLock::new();
        token.map_or(Self::None, |token| {
            let digest = KEY.get_or_init(RandomState::new).hash_one(token.expose());
            Self::Token(digest.max(1))
        })
    }
}

/// The last that servers have proven to one client. A number, because a lock might be held for ever in a
/// forked child.
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

//! The shared secret of a server, and the key that both sides derive from it.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use ring::digest;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Separates this use of the token from any other; also the salt for Argon2, which both sides must
/// know before they exchange a byte.
const DOMAIN: &[u8] = b"bgpy 1 token to psk";

/// Random tokens of this many characters from the URL-safe base64 alphabet have at least 256 bits
/// of entropy; such tokens count as generated.
const GENERATED_CHARS_MIN: usize = 43;

/// A token. Wiped from memory when dropped, and never shown.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Token(String);

/// The key that a handshake proves knowledge of.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Psk([u8; 32]);

impl Token {
    /// A token as the user wrote it.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// A new token of `length` random bytes in URL-safe base64 without padding.
    ///
    /// # Panics
    /// If the operating system provides no random bytes.
    pub fn generate(length: usize) -> Self {
        let mut bytes = vec![0; length];
        fill_random(&mut bytes);
        let token = Self(base64_url(&bytes));
        bytes.zeroize();
        token
    }

    /// The token's text, to be passed to another process and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a person seems to have chosen it, so that it can be guessed.
    pub fn is_weak(&self) -> bool {
        let generated = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        self.0.len() < GENERATED_CHARS_MIN || !self.0.bytes().all(generated)
    }

    /// Derives the key. A weak token is stretched with Argon2id (19 MiB, 2 passes), which takes
    /// tens of milliseconds: keep the result.
    pub fn psk(&self) -> Psk {
        let mut key = [0; 32];
        if self.is_weak() {
            let params = Params::new(19 * 1024, 2, 1, Some(32)).expect("the parameters are valid");
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into(self.0.as_bytes(), DOMAIN, &mut key)
                .expect("salt and output are within Argon2's bounds");
        } else {
            let mut hash = digest::Context::new(&digest::SHA256);
            hash.update(DOMAIN);
            hash.update(self.0.as_bytes());
            key.copy_from_slice(hash.finish().as_ref());
        }
        Psk(key)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Psk {
    /// The key for clients and servers without authentication. It protects nothing; the handshake
    /// needs a key.
    pub fn open() -> Self {
        Self([0; 32])
    }

    /// A random key. A peer that answers to it is not a bgpy server; a server stays silent.
    ///
    /// # Panics
    /// If the operating system provides no random bytes.
    pub fn unknown() -> Self {
        let mut key = [0; 32];
        fill_random(&mut key);
        Self(key)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Psk(..)")
    }
}

/// Fills `bytes` from the operating system's random source.
///
/// # Panics
/// If there is none: nothing secure could be done without it.
pub fn fill_random(bytes: &mut [u8]) {
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), bytes)
        .expect("the operating system has a random source");
}

fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for digit in 0..=group.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_matches_rfc_4648() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foobar", "Zm9vYmFy"),
            (b"\xfb\xff", "-_8"),
        ] {
            assert_eq!(base64_url(bytes), text);
        }
    }

    #[test]
    fn generated_tokens_are_strong_and_chosen_ones_weak() {
        assert!(!Token::generate(64).is_weak());
        assert!(!Token::generate(32).is_weak());
        assert!(Token::generate(31).is_weak());
        assert!(Token::new("").is_weak());
        assert!(
            Token::new("correct horse battery staple, said the long long long sentence").is_weak()
        );
    }

    #[test]
    fn each_token_has_its_key() {
        let key = |token: &str| *Token::new(token).psk().bytes();
        let long = Token::generate(64);
        assert_eq!(key("weak"), key("weak"));
        assert_ne!(key("weak"), key("weaker"));
        assert_eq!(key(long.expose()), key(long.expose()));
        assert_ne!(key(long.expose()), *Psk::open().bytes());
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", Token::new("hunter2")), "Token(..)");
        assert_eq!(format!("{:?}", Token::new("hunter2").psk()), "Psk(..)");
    }
}

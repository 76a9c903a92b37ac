//! Where a token comes from if the user has not passed one.

use bgpy_proto::Token;

/// The environment variable that holds a token.
const TOKEN_VARIABLE: &str = "BGPY_TOKEN";

/// Bytes of a generated token.
const TOKEN_BYTES: usize = 32;

/// The token in `BGPY_TOKEN`, if it is set.
pub(crate) fn token_of_environment() -> Option<Token> {
    std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()).map(Token::new)
}

/// Generates a token for a server without one.
pub(crate) fn new_token() -> Token {
    Token::generate(TOKEN_BYTES)
}

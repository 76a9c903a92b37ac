//! What a server must have to listen where other machines can reach it.

use std::net::SocketAddr;

use bgpy_proto::Token;

use crate::error::ServeError;

/// Whether other machines can reach an address.
pub(crate) fn is_exposed(address: SocketAddr) -> bool {
    !address.ip().is_loopback()
}

/// Refuses an address that other machines can reach without authentication, or with a token that can
/// be guessed.
pub(crate) fn check_exposure(
    address: SocketAddr,
    auth: bool,
    token: Option<&Token>,
    allow_weak_token: bool,
) -> Result<(), ServeError> {
    if !is_exposed(address) {
        return Ok(());
    }
    let address = address.to_string();
    match token {
        _ if !auth => Err(ServeError::Unprotected { address }),
        Some(token) if token.is_weak() && !allow_weak_token => {
            Err(ServeError::WeakToken { address })
        }
        _ => Ok(()),
    }
}

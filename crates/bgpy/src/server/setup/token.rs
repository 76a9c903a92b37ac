//! The token of a server, and whose choice it was.

use std::net::SocketAddr;

use bgpy_proto::Token;

use super::exposure::check_exposure;
use crate::error::ServeError;
use crate::server::options::ServerOptions;
use crate::token::{new_token, token_of_environment};

/// The token of a server.
#[derive(Debug)]
pub(super) struct ServerToken {
    pub(super) token: Token,
    /// Whether the user has chosen it, in this or an earlier process of the server.
    pub(super) is_chosen_by_user: bool,
    /// Whether clients need it and can find it only in the server's entry.
    pub(super) is_made_up: bool,
}

impl ServerToken {
    /// The token of the options, else that of the environment, else a new one.
    ///
    /// # Errors
    /// [`ServeError`] if it is not good enough for an address that other machines can reach.
    pub(super) fn choose(options: &ServerOptions, address: SocketAddr) -> Result<Self, ServeError> {
        let chosen = options.token.clone().or_else(token_of_environment);
        check_exposure(address, options.auth, chosen.as_ref(), options.allow_weak_token)?;
        let was_made_up = options.config.as_ref().is_some_and(|config| config.is_token_made_up);
        Ok(Self {
            is_chosen_by_user: chosen.is_some() && !was_made_up,
            is_made_up: options.auth && chosen.is_none(),
            token: chosen.unwrap_or_else(new_token),
        })
    }
}

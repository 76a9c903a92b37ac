//! What a simulated registry knows of the server.

use super::around::Around;
use crate::client::lookup::{Down, Found, Lookup};
use crate::client::route::Routes;
use crate::error::ConnectError;

/// A look-up in a client's surroundings. There is one server, and one route to it.
pub(super) struct Simulated<'a> {
    pub(super) around: &'a dyn Around,
}

impl Lookup for Simulated<'_> {
    fn find(&self) -> Result<Found, ConnectError> {
        let mut routes = Routes::default();
        routes.add_tcp(([127, 0, 0, 1], 1).into(), None);
        Ok(Found {
            routes,
            instances: Vec::new(),
            pauses: vec![self.around.pause()],
            failing: None,
            comes_back: self.around.comes_back(),
        })
    }

    fn is_about_to_start(&self, _error: &ConnectError) -> bool {
        false
    }

    fn down(&self, _instances: &[String]) -> Option<Down> {
        self.around.has_lost_process().then_some(Down { failing: None })
    }

    fn explain(&self, error: ConnectError) -> ConnectError {
        error
    }
}

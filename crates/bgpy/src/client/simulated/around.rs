//! What a simulated client sees of its surroundings.

use std::time::Duration;

use crate::simulation::wire::Wire;

/// The environment of a client.
pub(crate) trait Around {
    /// How long until the server is restarted, according to the registry; `None` while it has a
    /// process.
    fn pause(&self) -> Option<Duration>;
    /// Whether the registry says that it is restarted after a failure.
    fn comes_back(&self) -> bool;
    /// Whether its process is gone.
    fn has_lost_process(&self) -> bool;
    /// Opens a connection if something listens.
    fn dial(&mut self, is_own: bool) -> Option<Wire>;
}

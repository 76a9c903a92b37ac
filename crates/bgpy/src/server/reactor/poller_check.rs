//! Checks that a poller is still the original one.

use std::io;

use crate::platform::{self, Private};
use crate::transport::Listener;

/// Lets the stand-in check the poller while another thread polls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PollerCheck {
    /// The handle that its holder waits with, and the second one.
    pub(crate) pollers: [i32; 2],
    pub(crate) source: i32,
}

impl PollerCheck {
    /// Checks that both handles still belong to this poller, and that it watches these listeners.
    ///
    /// # Errors
    /// One that names what is in its place.
    pub(crate) fn check(self, listeners: &[Private<Listener>]) -> io::Result<()> {
        let [poller, _] = self.pollers;
        self.pollers
            .into_iter()
            .try_for_each(|poller| platform::check_poller(poller, self.source))?;
        let mut numbers = listeners.iter().map(|listener| platform::number(&**listener));
        numbers.try_for_each(|number| platform::check_poller(poller, number))
    }
}

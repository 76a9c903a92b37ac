//! Whether a poller is the one that it was.

use std::io;

use crate::platform::{self, Private};
use crate::transport::Listener;

/// What the stand-in needs to see whether the poller is what it was, while somebody else polls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watched {
    /// The one with which its holder waits, and the second handle.
    pub(super) pollers: [i32; 2],
    pub(super) source: i32,
}

impl Watched {
    /// Confirms that both handles are still those of this poller, and that it watches these listeners.
    ///
    /// # Errors
    /// One that says what is in its place.
    pub(super) fn check(self, listeners: &[Private<Listener>]) -> io::Result<()> {
        let [poller, _] = self.pollers;
        self.pollers
            .into_iter()
            .try_for_each(|poller| platform::check_poller(poller, self.source))?;
        let mut numbers = listeners.iter().map(|listener| platform::number(&**listener));
        numbers.try_for_each(|number| platform::check_poller(poller, number))
    }
}

//! Small responses of a stream leave together: a write for each would cost more than all the rest.

use std::time::{Duration, Instant};

use crate::clock;
use crate::server::core::Core;

/// How long a response may wait for others after the last write.
const LINGER: Duration = Duration::from_micros(200);

/// Queued bytes that do not wait.
const LINGER_BYTES: usize = 16 << 10;

/// The connections with responses that linger.
#[derive(Debug, Default)]
pub(crate) struct Lingering {
    connections: Vec<usize>,
    /// When they are to be written.
    due: Option<Instant>,
}

impl Lingering {
    /// When something is to be written, if anything lingers.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }
}

impl Core {
    /// Whether what is queued on a connection lingers. The leader writes it soon.
    pub(crate) fn linger(&mut self, token: usize) -> bool {
        let Some(connection) = self.connections.get_mut(&token) else { return false };
        let now = clock::now();
        let is_soon = now.saturating_duration_since(connection.written) < LINGER;
        if !is_soon || connection.backlog() >= LINGER_BYTES {
            connection.written = now;
            return false;
        }
        if !self.lingering.connections.contains(&token) {
            self.lingering.connections.push(token);
        }
        if self.lingering.due.is_none() {
            self.lingering.due = Some(now + LINGER);
            // It may be asleep without a timeout.
            self.wake_leader();
        }
        true
    }

    /// Writes what has lingered long enough.
    pub(crate) fn end_lingering(&mut self) {
        if self.lingering.due.is_some_and(|due| due <= clock::now()) {
            self.lingering.due = None;
            for token in std::mem::take(&mut self.lingering.connections) {
                self.flush(token);
            }
        }
    }
}

//! Small responses of a stream leave together: a write for each would cost more than all the rest.

use std::time::{Duration, Instant};

use super::connection::Connection;

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

/// What becomes of the responses that are queued on a connection.
pub(crate) enum Lingers {
    /// They are to be written now.
    No,
    /// They are written together with others that linger already.
    WithOthers,
    /// They are the first to linger: whoever writes them has to learn when.
    First,
}

impl Lingering {
    /// Decides whether what is queued on a connection lingers.
    pub(crate) fn add(
        &mut self,
        token: usize,
        connection: &mut Connection,
        now: Instant,
    ) -> Lingers {
        let is_soon = now.saturating_duration_since(connection.written) < LINGER;
        if !is_soon || connection.backlog() >= LINGER_BYTES {
            connection.written = now;
            return Lingers::No;
        }
        if !self.connections.contains(&token) {
            self.connections.push(token);
        }
        if self.due.is_some() {
            return Lingers::WithOthers;
        }
        self.due = Some(now + LINGER);
        Lingers::First
    }

    /// When something is to be written, if anything lingers.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The connections whose responses have lingered long enough.
    pub(crate) fn take_due(&mut self, now: impl FnOnce() -> Instant) -> Vec<usize> {
        if self.due.is_none_or(|due| due > now()) {
            return Vec::new();
        }
        self.due = None;
        std::mem::take(&mut self.connections)
    }
}

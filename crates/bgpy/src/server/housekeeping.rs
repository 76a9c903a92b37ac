//! Periodic work of a server, busy or idle: its log, its files, and clients that have vanished.

use std::time::Duration;

use super::connections::connection::Connection;
use super::connections::dead_peers::{LIMIT, Limit};
use super::core::Core;
use super::shared::Shared;
use crate::duration::shown;
use crate::log::Log;
use crate::platform::Undelivered;

impl Shared {
    /// Rotates a large log, logs what was lost, closes connections of clients that have vanished,
    /// and restores files that others have removed or replaced: some directories are cleaned
    /// periodically, or when their user logs out.
    pub(super) fn housekeep(&self, log: &Log) {
        log.rotate_if_large();
        log.tell_losses();
        self.drop_dead_peers();
        self.core.lock().jobs.forget_expired();
        // Checked outside any lock, because a file system may be slow.
        if self.files.misses_files() {
            let files = self.core.lock().restore_files();
            self.files.keep(files);
            log.reopen_if_gone();
        }
    }

    /// Closes the connections of clients that have vanished.
    fn drop_dead_peers(&self) {
        if self.last_check.is_due() {
            self.core.lock().drop_dead_peers(LIMIT);
        }
    }
}

impl Core {
    fn drop_dead_peers(&mut self, limit: Limit) {
        let look = |(token, connection): (&usize, &mut Connection)| {
            let undelivered = connection.undelivered()?;
            limit.is_exceeded_by(undelivered).then_some((*token, undelivered))
        };
        let vanished: Vec<_> = self.connections.iter_mut().filter_map(look).collect();
        for (token, Undelivered { tries, silence }) in vanished {
            let silence = shown(Duration::from_secs(silence.as_secs()));
            let why = format!(
                "no answer for {silence} to data sent to it, nor to {tries} retransmissions"
            );
            self.log_dead_peer(token, &why);
            self.cut(token, &why);
        }
    }
}

//! What a server does from time to time, whether or not it is called: it sees to its log, to being found, and
//! to clients that are gone.

use super::connection::Connection;
use super::core::Core;
use super::dead_peers::{PATIENCE, Patience};
use super::shared::Shared;
use crate::log::Log;
use crate::platform::Delivery;

impl Shared {
    /// Rotates a log that has grown large, says what it lacks, gives up clients that have vanished, and puts back
    /// files that somebody else has removed or replaced: some directories are emptied from time to time, or when
    /// their user logs out.
    pub(super) fn keep_up(&self, log: &Log) {
        log.rotate_if_large();
        log.tell_losses();
        self.drop_dead_peers();
        // Looked at with nothing locked, because a file system may take its time.
        if self.files.misses_files() {
            let files = self.core.lock().restore_files();
            self.files.keep(files);
            log.reopen_if_gone();
        }
    }

    /// Gives up the connections of clients that have vanished.
    fn drop_dead_peers(&self) {
        if self.looks.is_due() {
            self.core.lock().drop_dead_peers(PATIENCE);
        }
    }
}

impl Core {
    fn drop_dead_peers(&mut self, patience: Patience) {
        let look = |(token, connection): (&usize, &mut Connection)| {
            let delivery = connection.undelivered()?;
            patience.is_over(delivery).then_some((*token, delivery))
        };
        let vanished: Vec<_> = self.connections.iter_mut().filter_map(look).collect();
        for (token, Delivery { tries, silence }) in vanished {
            let silence_s = silence.as_secs();
            let why = format!(
                "no answer for {silence_s} s to what was sent to it, nor to {tries} more tries"
            );
            self.log_dead_peer(token, &why);
            self.cut(token, &why);
        }
    }

    /// Says that a client has vanished. That it closes its connection is not worth a line, but here others may
    /// look for the reason.
    pub(super) fn log_dead_peer(&self, token: usize, why: &str) {
        let connection = self.connections.get(&token).filter(|connection| connection.is_session());
        if let Some(Connection { peer, .. }) = connection {
            self.log.info(format_args!("the client at {peer} has vanished: {why}"));
        }
    }
}

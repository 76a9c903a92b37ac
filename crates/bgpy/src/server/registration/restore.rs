//! Restoring the files by which clients find the server, while it runs.

use super::RegisteredFile;
use crate::platform::Private;
use crate::server::connections::accept::ACCEPT_TURN;
use crate::server::core::Core;
use crate::transport::listen::{self, Listener};

/// The accept backlog that the standard library requests, which no system exceeds by default.
const WAITING_MAX: usize = 4096;

impl Core {
    /// Restores files by which clients find the server, if others have removed or replaced them;
    /// returns their current state.
    pub(crate) fn restore_files(&mut self) -> Vec<RegisteredFile> {
        if self.is_retired {
            return Vec::new();
        }
        // Checking and restoring need a descriptor each.
        self.reserve.give_all();
        let (listeners, registry, mut relaid) = (&self.listeners, &self.poll_registry, None);
        let restored = self.registration.restore(&self.log, |path| {
            let (fresh, index, stamp) = listen::again(listeners, path, registry)?;
            relaid = Some((fresh, index));
            Ok(stamp)
        });
        if let Some((fresh, index)) = relaid {
            self.replace_listener(fresh, index);
        }
        self.reserve.fill();
        match restored {
            Ok(()) => self.registration.has_trouble = false,
            Err(error) if !self.registration.has_trouble => {
                self.registration.has_trouble = true;
                self.log.warning(format_args!(
                    "cannot check or restore the server's files: {error}; retrying every second"
                ));
            }
            Err(_) => {}
        }
        self.registration.files()
    }

    /// Replaces a listener with a new one, after accepting the clients that wait in its queue.
    fn replace_listener(&mut self, fresh: Private<Listener>, index: usize) {
        // Each turn accepts many of them. An error of the old listener will show on the new one as
        // well.
        for _ in 0..WAITING_MAX.div_ceil(ACCEPT_TURN) {
            if !self.accept(index, ACCEPT_TURN).is_ok_and(|all| !all) {
                break;
            }
        }
        let mut stale = std::mem::replace(&mut self.listeners[index], fresh);
        drop(self.poll_registry.deregister(stale.source()));
    }
}

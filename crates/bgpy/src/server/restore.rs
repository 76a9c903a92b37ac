//! Putting back the files by which the server is found, while it runs.

use super::accept::ACCEPT_TURN;
use super::core::Core;
use super::record::Kept;
use crate::platform::Private;
use crate::transport::listen::{self, Listener};

/// Clients that may wait in the queue of a socket, as the standard library makes it: no more than the
/// largest that a system has as its default.
const WAITING_MAX: usize = 4096;

impl Core {
    /// Puts back what others have removed or replaced of the files by which the server is found; returns
    /// what they are now.
    pub(super) fn restore_files(&mut self) -> Vec<Kept> {
        if self.is_retired {
            return Vec::new();
        }
        // What is looked at, and what is put back, takes a descriptor each.
        self.reserve.give_all();
        let (listeners, registry, mut relaid) = (&self.listeners, &self.registry, None);
        let restored = self.record.restore(&self.log, |path| {
            let (fresh, index, stamp) = listen::again(listeners, path, registry)?;
            relaid = Some((fresh, index));
            Ok(stamp)
        });
        if let Some((fresh, index)) = relaid {
            self.replace_listener(fresh, index);
        }
        self.reserve.fill();
        match restored {
            Ok(()) => self.record.has_trouble = false,
            Err(error) if !self.record.has_trouble => {
                self.record.has_trouble = true;
                self.log.warning(format_args!(
                    "the server's files cannot be looked at, or not be put back: {error}. This is tried \
                     again every second"
                ));
            }
            Err(_) => {}
        }
        self.record.files()
    }

    /// Puts a listener in the place of another one, whose clients are let in first.
    fn replace_listener(&mut self, fresh: Private<Listener>, index: usize) {
        // Each time one lets in many of them; what the system says of it, it says of the new one as well.
        for _ in 0..WAITING_MAX.div_ceil(ACCEPT_TURN) {
            if !self.accept(index, ACCEPT_TURN).is_ok_and(|all| !all) {
                break;
            }
        }
        let mut stale = std::mem::replace(&mut self.listeners[index], fresh);
        drop(self.registry.deregister(stale.source()));
    }
}

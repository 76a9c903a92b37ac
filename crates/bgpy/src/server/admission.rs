//! What those are told who come when the server's process has no descriptors left.

use std::io;
use std::time::Instant;

use super::core::Core;
use super::strangers::Kind;
use crate::platform::{self, WithLimit};

impl Core {
    /// Makes room for somebody who is told that there are no descriptors left; `false` when those that were
    /// told so have come just now.
    pub(super) fn open_door(&mut self) -> bool {
        if self.reserve.open_door() {
            return true;
        }
        let is_silent = |token| self.arrivals.is_silent(token);
        let overdue = self.guests.overdue(is_silent, Instant::now());
        // Whoever has said what nobody has read yet has not been slow.
        let goes = |token: &usize| self.connections.get(token).is_none_or(|it| !it.has_unread());
        let Some(token) = overdue.into_iter().find(goes) else { return false };
        self.cut(token, "others want to be told that there are no descriptors left");
        self.reserve.open_door()
    }

    /// Notes that a connection has come by the door.
    pub(super) fn welcome_guest(&mut self, token: usize) {
        self.guests.add(token, Instant::now());
        self.reserve.use_door();
    }

    /// Notes that a connection is gone.
    pub(super) fn see_off(&mut self, token: usize) {
        if self.guests.remove(token) {
            self.reserve.close_door();
        }
        self.arrivals.try_again();
    }

    /// Says what is lacking, in the log and to those who come.
    pub(super) fn tell_lack(&mut self, error: &io::Error) -> String {
        let what = format_args!("cannot accept a connection: {}", WithLimit(error));
        self.note(Kind::NotAccepted, &what);
        match platform::descriptor_limit(error) {
            Some(limit) => format!(
                "its process {} has all of the {limit} files and connections open that RLIMIT_NOFILE lets it \
                 have, and takes no more clients",
                std::process::id()
            ),
            None => format!("the system lets it take no more clients ({error})"),
        }
    }
}

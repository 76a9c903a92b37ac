//! Those who come when the server's process has no descriptors left: they are let in by a door that is kept for
//! them, may ask how the server is, read its log and end it, and are told why their calls are not taken. They
//! do not stay, so that those behind them are told as well.

use std::io;
use std::time::{Duration, Instant};

use super::arrivals::Arrivals;
use super::core::Core;
use super::strangers::Kind;
use crate::platform;

/// How long one may say nothing when others want to come: the first message comes at once, also from the other
/// side of the globe.
const SILENCE: Duration = Duration::from_millis(250);

/// How long one may stay then at all: time to shake hands and to ask.
const STAY: Duration = Duration::from_secs(1);

/// One of them.
#[derive(Debug)]
struct Guest {
    token: usize,
    since: Instant,
}

/// In the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Guests(Vec<Guest>);

impl Guests {
    pub(super) fn add(&mut self, token: usize, now: Instant) {
        self.0.push(Guest { token, since: now });
    }

    /// Forgets one that is gone; `false` when it was none.
    pub(super) fn remove(&mut self, token: usize) -> bool {
        let before = self.0.len();
        self.0.retain(|guest| guest.token != token);
        self.0.len() < before
    }

    pub(super) fn contains(&self, token: usize) -> bool {
        self.0.iter().any(|guest| guest.token == token)
    }

    /// Those that may make room, given which of them have said nothing.
    fn overdue(&self, is_silent: impl Fn(usize) -> bool, now: Instant) -> Vec<usize> {
        let stay = |token| if is_silent(token) { SILENCE } else { STAY };
        let goes = |guest: &&Guest| guest.since + stay(guest.token) <= now;
        self.0.iter().filter(goes).map(|guest| guest.token).collect()
    }
}

impl Arrivals {
    /// Has those that wait to be accepted be tried again, because somebody has gone.
    pub(super) fn try_again(&mut self) {
        if let Some(again) = &mut self.accept_again {
            *again = Instant::now();
        }
    }
}

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
        let what = format_args!("cannot accept a connection: {}", crate::lack::Lack(error));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_first_makes_room_and_who_says_nothing_before() {
        let (mut guests, now) = (Guests::default(), Instant::now());
        let later = now + STAY / 2;
        guests.add(3, now);
        guests.add(4, later);
        assert!(guests.overdue(|_| false, later).is_empty());
        assert_eq!(guests.overdue(|_| true, now + SILENCE), [3]);
        assert_eq!(guests.overdue(|token| token == 4, later + SILENCE), [4]);
        assert_eq!(guests.overdue(|_| false, later + STAY), [3, 4]);
        assert!(guests.contains(3) && guests.remove(3) && !guests.remove(3));
        assert_eq!(guests.overdue(|_| false, later + STAY), [4]);
    }
}

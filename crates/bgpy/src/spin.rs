//! Looking again for a moment before going to sleep.
//!
//! To be woken on another processor takes longer than a small call. Two sides that answer each
//! other within microseconds therefore look at their sockets for a moment before they sleep, as
//! long as that pays: where it did not, the next tries are left out, ever more of them.

use std::time::{Duration, Instant};

/// How long it is looked at most: about what it costs to be woken, on slow machines too, so that
/// looking in vain costs no more than twice as much as not looking.
const MOMENT: Duration = Duration::from_micros(50);

/// Most waits without a look after one in vain. Where no look ever pays, as on a single processor,
/// looking costs a twentieth of a microsecond a wait.
const PAUSE_MAX: u32 = 1024;

/// Decides whether to look, from what has come of it.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    /// Waits that are left out yet.
    pause: u32,
    /// Waits that the next look in vain leaves out.
    next_pause: u32,
}

impl Spin {
    /// Looks until something is there, or the moment is over.
    pub(crate) fn look<T>(&mut self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        if self.pause > 0 {
            self.pause -= 1;
            return None;
        }
        // What is there at once teaches nothing about waiting.
        let found = look();
        if found.is_some() {
            return found;
        }
        let since = Instant::now();
        loop {
            std::hint::spin_loop();
            let found = look();
            if found.is_some() {
                self.next_pause = 0;
                return found;
            }
            if since.elapsed() >= MOMENT {
                break;
            }
        }
        self.next_pause = (2 * self.next_pause).clamp(1, PAUSE_MAX);
        self.pause = self.next_pause;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(spin: &mut Spin, mut found_at: impl FnMut(u32) -> bool) -> u32 {
        let mut looks = 0;
        spin.look(|| {
            looks += 1;
            found_at(looks).then_some(())
        });
        looks
    }

    #[test]
    fn looks_in_vain_become_rare_and_one_that_pays_brings_them_back() {
        let mut spin = Spin::default();
        let mut tried = Vec::new();
        for wait in 0..40 {
            if looks(&mut spin, |_| false) > 0 {
                tried.push(wait);
            }
        }
        assert_eq!(tried, [0, 2, 5, 10, 19, 36]);
        while looks(&mut spin, |look| look == 2) == 0 {}
        assert_eq!(looks(&mut spin, |look| look == 2), 2);
        // What was there at once changes nothing.
        assert_eq!(looks(&mut spin, |_| true), 1);
        assert_eq!(looks(&mut spin, |look| look == 2), 2);
    }
}

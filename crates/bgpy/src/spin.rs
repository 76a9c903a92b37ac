//! Spinning for a moment before going to sleep.
//!
//! A wake-up on another CPU takes longer than a small call. Two sides that answer each other within
//! microseconds therefore poll their sockets for a moment before they sleep, as long as that pays
//! off: each unsuccessful spin makes more of the next waits skip it.

use std::time::{Duration, Instant};

/// The longest spin: about the cost of a wake-up, even on slow machines, so that an unsuccessful
/// spin at most doubles the cost of a wait.
const MOMENT: Duration = Duration::from_micros(50);

/// Most waits that skip the spin after an unsuccessful one. Where no spin ever pays off, as on a
/// single CPU, spinning costs a twentieth of a microsecond per wait.
const PAUSE_MAX: u32 = 1024;

/// Decides whether to spin, from previous results.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    /// Waits that are still to skip the spin.
    pause: u32,
    /// Waits that skip it after the next unsuccessful spin.
    next_pause: u32,
}

impl Spin {
    /// Polls until there is a result, or the moment is over.
    pub(crate) fn look<T>(&mut self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        if self.pause > 0 {
            self.pause -= 1;
            return None;
        }
        // A result at once says nothing about waiting.
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
        // A result at once changes nothing.
        assert_eq!(looks(&mut spin, |_| true), 1);
        assert_eq!(looks(&mut spin, |look| look == 2), 2);
    }
}

//! Cancelling the call that runs.
//!
//! The executing thread brackets each call with its number. A request to cancel names a number, and is taken
//! only by the call that has it: whenever it arrives, it never hits another one.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::platform::Sleeper;

/// The number of no call.
const NONE: u64 = 0;

/// Why a call is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Why {
    /// Its caller, or somebody else, has asked for it.
    Asked = 0,
    /// Its deadline has passed.
    Expired = 1,
    /// Its caller is gone.
    Gone = 2,
}

/// What the executing thread and those who cancel share. The orderings are sequentially consistent: each call
/// uses them a few times, and a request that is seen early or late by a few instructions is covered by the
/// numbers.
#[derive(Debug, Default)]
pub struct Cancellation {
    /// The call that runs.
    current: AtomicU64,
    /// The call that is to be cancelled.
    requested: AtomicU64,
    why: AtomicU8,
    /// Whether the request waits to be [taken](Self::take).
    is_pending: AtomicBool,
    /// Whether the call that runs may still be interrupted.
    is_open: AtomicBool,
    /// How many [shields](Self::shield) the executing thread has up.
    shields: AtomicU32,
}

/// Interrupts what the executing thread does, so that it looks whether its call is cancelled. Called by any thread
/// with locks held: it must not block.
pub trait Interrupter: Send + Sync {
    /// Interrupts the thread. Called again until the request is taken, because an interruption may come just before
    /// the thread begins to wait for something.
    fn interrupt(&self);
}

/// Interrupts a thread by a signal, for which the process has a handler: SIGURG on Unix, which is ignored by default,
/// so that one which comes late disturbs nobody.
#[derive(Debug)]
pub struct ThreadInterrupter(Sleeper);

impl ThreadInterrupter {
    /// Interrupts the calling thread, which must live as long as this may be used.
    pub fn here() -> Self {
        Self(Sleeper::here())
    }
}

impl Interrupter for ThreadInterrupter {
    fn interrupt(&self) {
        self.0.signal();
    }
}

impl Cancellation {
    /// Notes that a call runs from now on.
    pub(crate) fn begin(&self, call: u64) {
        self.is_pending.store(false, Ordering::SeqCst);
        self.shields.store(0, Ordering::SeqCst);
        self.current.store(call, Ordering::SeqCst);
        self.is_open.store(true, Ordering::SeqCst);
    }

    /// Puts requests off until as many calls of [`unshield`](Self::unshield). For the executing thread alone.
    pub fn shield(&self) {
        self.shields.fetch_add(1, Ordering::SeqCst);
    }

    /// Lowers a shield. A request that has come meanwhile can be [taken](Self::take) once there is none left.
    pub fn unshield(&self) {
        let lowered = |shields: u32| shields.checked_sub(1);
        let _ = self.shields.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lowered);
    }

    /// Notes that the call that runs has done its work: it takes no request any more, but what was requested is
    /// still known.
    pub fn close(&self) {
        self.is_open.store(false, Ordering::SeqCst);
    }

    /// For a call that runs beside others.
    pub(crate) fn of(call: u64) -> Self {
        let cancellation = Self::default();
        cancellation.begin(call);
        cancellation
    }

    /// Why the call that runs was asked to end, if it has not taken the request, perhaps because it had done its work
    /// for now.
    pub(crate) fn untaken(&self) -> Option<Why> {
        self.why().filter(|_| self.is_pending.load(Ordering::SeqCst))
    }

    /// Notes that no call runs.
    pub(crate) fn end(&self) {
        self.close();
        self.current.store(NONE, Ordering::SeqCst);
    }

    /// Asks a call to end, if it runs. A second request is another one, even if the first was taken.
    pub(crate) fn request(&self, call: u64, why: Why) {
        self.why.store(why as u8, Ordering::SeqCst);
        self.requested.store(call, Ordering::SeqCst);
        self.is_pending.store(true, Ordering::SeqCst);
    }

    /// Whether the call that runs is asked to end and has not taken the request.
    pub fn is_pending(&self) -> bool {
        let is_open =
            self.is_open.load(Ordering::SeqCst) && self.shields.load(Ordering::SeqCst) == 0;
        is_open && self.is_pending.load(Ordering::SeqCst) && self.is_requested()
    }

    /// Whether the call that runs was asked to end.
    pub fn is_requested(&self) -> bool {
        let current = self.current.load(Ordering::SeqCst);
        current != NONE && current == self.requested.load(Ordering::SeqCst)
    }

    /// Whether a call runs and was asked to end.
    pub(crate) fn is_requested_for(&self, call: u64) -> bool {
        self.current.load(Ordering::SeqCst) == call && self.is_requested()
    }

    /// Takes the request, if there is one for the call that runs: `true` once for each request. For the executing
    /// thread alone.
    pub fn take(&self) -> bool {
        self.is_pending() && self.is_pending.swap(false, Ordering::SeqCst)
    }

    /// Why the call that runs was asked to end, if it was.
    pub fn why(&self) -> Option<Why> {
        self.is_requested().then(|| match self.why.load(Ordering::SeqCst) {
            1 => Why::Expired,
            2 => Why::Gone,
            _ => Why::Asked,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_request_is_taken_once_and_by_its_call() {
        let cancellation = Cancellation::default();
        cancellation.request(7, Why::Asked);
        assert!(!cancellation.take());
        cancellation.begin(7);
        assert!(!cancellation.take(), "it was asked before it began");
        cancellation.request(7, Why::Expired);
        assert_eq!(cancellation.why(), Some(Why::Expired));
        assert!(cancellation.take() && !cancellation.take() && cancellation.is_requested());
        cancellation.request(7, Why::Asked);
        assert!(cancellation.take());
        cancellation.request(7, Why::Asked);
        cancellation.close();
        assert!(!cancellation.take() && cancellation.why() == Some(Why::Asked));
        cancellation.end();
        assert!(!cancellation.take() && cancellation.why().is_none());
        cancellation.begin(8);
        assert!(!cancellation.take() && !cancellation.is_requested());
    }

    #[test]
    fn a_shield_puts_a_request_off() {
        let cancellation = Cancellation::default();
        cancellation.begin(1);
        cancellation.shield();
        cancellation.shield();
        cancellation.request(1, Why::Asked);
        assert!(!cancellation.take() && !cancellation.is_pending() && cancellation.is_requested());
        cancellation.unshield();
        assert!(!cancellation.take());
        cancellation.unshield();
        assert!(cancellation.take());
    }

    #[test]
    fn a_late_request_hits_no_other_call() {
        let cancellation = Arc::new(Cancellation::default());
        let stop = Arc::new(AtomicBool::new(false));
        let storm = std::thread::spawn({
            let (cancellation, stop) = (cancellation.clone(), stop.clone());
            move || {
                while !stop.load(Ordering::SeqCst) {
                    // Even calls only: while an odd one runs, a late request for the one before.
                    let call = cancellation.current.load(Ordering::SeqCst) & !1;
                    cancellation.request(call, Why::Asked);
                }
            }
        });
        let (mut taken, mut call) = (0, 0);
        while taken < 1000 {
            call += 1;
            cancellation.begin(call);
            if call % 63 == 0 {
                // The other thread may have no CPU of its own.
                std::thread::yield_now();
            }
            if cancellation.take() {
                assert!(call % 2 == 0, "call {call} was cancelled");
                taken += 1;
            }
            cancellation.end();
        }
        stop.store(true, Ordering::SeqCst);
        storm.join().expect("it does not panic");
    }
}

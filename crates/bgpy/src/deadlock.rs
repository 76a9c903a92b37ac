//! Detects tasks that wait for servers of their own process.
//!
//! A server runs one task at a time, so a task that waits for its own server, or for a server that
//! waits for it, would wait for ever: the server still answers pings, so that only the caller's own
//! timeout would end the wait.

use std::cell::{Cell, RefCell};
use std::sync::Mutex;

use bgpy_proto::{Chain, Id};

use crate::sync::lock;

thread_local! {
    /// The server whose calls this thread runs.
    static SERVED: Cell<Option<Id>> = const { Cell::new(None) };

    /// The servers that wait for the call that this thread runs, its own included.
    static CHAIN: RefCell<Chain> = RefCell::default();
}

/// Pairs of servers in this process: the first has a task that waits for the second.
static WAITS: Mutex<Vec<(Id, Id)>> = Mutex::new(Vec::new());

/// Runs the calls of a server on this thread.
pub(crate) fn serving<T>(server: Id, run: impl FnOnce() -> T) -> T {
    let outer = SERVED.replace(Some(server));
    let result = run();
    SERVED.set(outer);
    result
}

/// Runs a call for whose end these servers wait.
pub(crate) fn within<T>(chain: Option<&Chain>, run: impl FnOnce() -> T) -> T {
    let Some(own) = SERVED.get() else { return run() };
    // Too long a chain ends: a deadlock that long is left to the callers' timeouts.
    let chain = chain.cloned().unwrap_or_default().with(own).unwrap_or_default();
    let outer = CHAIN.replace(chain);
    let result = run();
    CHAIN.replace(outer);
    result
}

/// The servers that wait for what this thread does: a call that it waits for must not come back to them.
pub(crate) fn chain() -> Chain {
    match SERVED.get() {
        None => Chain::default(),
        Some(_) => CHAIN.with_borrow(Chain::clone),
    }
}

/// A wait of this thread's server for another one.
#[derive(Debug)]
pub(crate) struct Waiting(Option<(Id, Id)>);

impl Waiting {
    /// Notes that this thread waits for a server run by process `pid`; `None` if that would
    /// deadlock.
    #[inline]
    pub(crate) fn begin(server: Id, pid: u64) -> Option<Self> {
        match SERVED.get() {
            None => Some(Self(None)),
            Some(own) => Self::nested(own, server, pid),
        }
    }

    #[cold]
    fn nested(own: Id, server: Id, pid: u64) -> Option<Self> {
        if pid != u64::from(std::process::id()) {
            return Some(Self(None));
        }
        let mut waits = lock(&WAITS);
        let mut awaited = Some(server);
        while let Some(next) = awaited {
            if next == own {
                return None;
            }
            awaited = waits.iter().find(|(waiter, _)| *waiter == next).map(|(_, other)| *other);
        }
        waits.push((own, server));
        Some(Self(Some((own, server))))
    }
}

impl Drop for Waiting {
    #[inline]
    fn drop(&mut self) {
        if let Some(wait) = self.0 {
            let mut waits = lock(&WAITS);
            if let Some(place) = waits.iter().position(|known| *known == wait) {
                waits.swap_remove(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_that_would_close_a_circle_is_refused() {
        let [a, b, c] = [(); 3].map(|()| Id::random());
        let pid = u64::from(std::process::id());
        let begin = |from, to| serving(from, || Waiting::begin(to, pid));
        assert!(begin(a, a).is_none());
        let first = begin(a, b).expect("b does not wait");
        let second = begin(b, c).expect("c does not wait");
        assert!(begin(c, a).is_none() && begin(c, b).is_none());
        drop(second);
        drop(begin(c, a).expect("b no longer waits"));
        drop(first);
        // A thread that runs no calls may wait for any server, and any thread for servers of other
        // processes.
        assert!(Waiting::begin(a, pid).is_some());
        assert!(serving(a, || Waiting::begin(a, pid + 1)).is_some());
    }
}

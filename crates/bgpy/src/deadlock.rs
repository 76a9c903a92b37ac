//! Detects tasks that wait for servers of their own process.
//!
//! A server runs one task at a time, so a task that waits for its own server, or for a server that
//! waits for it, would wait for ever: the server still answers pings, so that only the caller's own
//! timeout would end the wait.

use std::cell::{Cell, RefCell};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bgpy_proto::{Chain, Id};

use crate::sync::lock;

thread_local! {
    /// The server whose calls this thread runs.
    static SERVED: Cell<Option<Id>> = const { Cell::new(None) };

    /// The servers that wait for what this thread runs: a call, with its own server included, or a callback.
    static CHAIN: RefCell<Chain> = RefCell::default();

    /// The server of this process that this thread waits for, although it runs no calls itself.
    static AWAITED: Cell<Option<Id>> = const { Cell::new(None) };
}

/// How many servers run calls in this process.
static SERVERS: AtomicUsize = AtomicUsize::new(0);

/// Pairs of servers in this process: the first has a task that waits for the second.
static WAITS: Mutex<Vec<(Id, Id)>> = Mutex::new(Vec::new());

/// Runs the calls of a server on this thread.
pub(crate) fn serving<T>(server: Id, run: impl FnOnce() -> T) -> T {
    let outer = SERVED.replace(Some(server));
    SERVERS.fetch_add(1, Ordering::Relaxed);
    let result = run();
    SERVERS.fetch_sub(1, Ordering::Relaxed);
    SERVED.set(outer);
    result
}

/// Runs a call for whose end these servers wait.
pub(crate) fn within<T>(chain: Option<&Chain>, run: impl FnOnce() -> T) -> T {
    let Some(own) = SERVED.get() else { return run() };
    // Too long a chain ends: a deadlock that long is left to the callers' timeouts.
    waited_for(chain.cloned().unwrap_or_default().with(own).unwrap_or_default(), run)
}

/// Runs a callback, for whose end a task of this server waits.
pub fn called_back<T>(server: Id, run: impl FnOnce() -> T) -> T {
    waited_for(chain().with(server).unwrap_or_default(), run)
}

/// Runs something for whose end these servers wait.
pub fn waited_for<T>(chain: Chain, run: impl FnOnce() -> T) -> T {
    let outer = CHAIN.replace(chain);
    let result = run();
    CHAIN.replace(outer);
    result
}

/// The servers that wait for what this thread does: a call that it waits for must not come back to them.
pub fn chain() -> Chain {
    CHAIN.with_borrow(Chain::clone)
}

/// The servers of this process that this thread waits for, although it runs no calls: one, and those
/// that the first one's task waits for in turn. If one of their tasks waits for this thread, by other
/// means than a call, none of them goes on.
pub fn awaited_servers() -> Vec<Id> {
    let Some(first) = AWAITED.get() else { return Vec::new() };
    let mut found = vec![first];
    let waits = lock(&WAITS);
    while let Some(next) = next_of(&waits, found[found.len() - 1])
        && !found.contains(&next)
    {
        found.push(next);
    }
    found
}

/// The server that a task of another one waits for.
fn next_of(waits: &[(Id, Id)], waiter: Id) -> Option<Id> {
    waits.iter().find(|(known, _)| *known == waiter).map(|(_, other)| *other)
}

/// A wait of this thread for a server.
#[derive(Debug)]
pub(crate) struct Waiting(Noted);

/// What is noted of a wait.
#[derive(Debug)]
enum Noted {
    /// The server is of another process.
    Nothing,
    /// This thread waits, which runs no calls, and waited for another server before.
    OfThread(Option<Id>),
    /// The first server waits for the second.
    OfServer(Id, Id),
}

impl Waiting {
    /// Notes that this thread waits for a server run by process `pid`; `None` if that would
    /// deadlock.
    #[inline]
    pub(crate) fn begin(server: Id, pid: u64) -> Option<Self> {
        match SERVED.get() {
            None if SERVERS.load(Ordering::Relaxed) == 0 => Some(Self(Noted::Nothing)),
            None => Some(Self::of_thread(server, pid)),
            Some(own) => Self::nested(own, server, pid),
        }
    }

    #[cold]
    fn of_thread(server: Id, pid: u64) -> Self {
        if pid != u64::from(std::process::id()) {
            return Self(Noted::Nothing);
        }
        Self(Noted::OfThread(AWAITED.replace(Some(server))))
    }

    #[cold]
    fn nested(own: Id, server: Id, pid: u64) -> Option<Self> {
        if pid != u64::from(std::process::id()) {
            return Some(Self(Noted::Nothing));
        }
        let mut waits = lock(&WAITS);
        let mut awaited = Some(server);
        while let Some(next) = awaited {
            if next == own {
                return None;
            }
            awaited = next_of(&waits, next);
        }
        waits.push((own, server));
        Some(Self(Noted::OfServer(own, server)))
    }
}

impl Drop for Waiting {
    #[inline]
    fn drop(&mut self) {
        match self.0 {
            Noted::Nothing => {}
            Noted::OfThread(before) => AWAITED.set(before),
            Noted::OfServer(own, server) => {
                let mut waits = lock(&WAITS);
                if let Some(place) = waits.iter().position(|known| *known == (own, server)) {
                    waits.swap_remove(place);
                }
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

    #[test]
    fn what_a_thread_waits_for_is_told_with_what_that_waits_for() {
        let [a, b, c] = [(); 3].map(|()| Id::random());
        let pid = u64::from(std::process::id());
        let serves =
            || serving(c, || std::thread::spawn(move || waits_for(a, pid)).join().unwrap());
        fn waits_for(server: Id, pid: u64) -> Vec<Id> {
            let waiting = Waiting::begin(server, pid);
            let found = awaited_servers();
            drop(waiting);
            assert!(awaited_servers().is_empty());
            found
        }
        assert_eq!(serves(), [a]);
        let first = serving(a, || Waiting::begin(b, pid));
        assert_eq!(serves(), [a, b]);
        drop(first);
        assert_eq!(serves(), [a]);
    }
}

//! Which segments a connection has, and which of them is used for what.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bgpy_proto::Memory;

use super::lease::{Lease, Made};
use crate::memory::kept_bytes_max;
use crate::platform::segment::Mapping;
use crate::platform::{self, Private};

/// Segments that one side of a connection offers at most.
const OFFERS_MAX: usize = 16;

/// A segment is filled with no less than this part of it, so that a small object does not keep a
/// large one.
const PART_LEAST: usize = 4;

/// An object that is still there after so many large messages stays, as far as one can tell; its
/// segment is not counted any more, and another may be offered.
const KEPT_AFTER: u64 = 64;

/// Bytes of the segments that this process has made and not given up, over all connections.
static BYTES: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug)]
pub(super) struct Pool {
    /// This side's segments, which the peer fills.
    own: Vec<Own>,
    /// The peer's segments, which this side fills.
    theirs: Vec<Theirs>,
    /// Descriptors whose offers are on their way.
    arrived_fds: VecDeque<Private<OwnedFd>>,
    next: u16,
    /// Large buffers that have arrived.
    arrived: u64,
    /// The fork generation of the process that has the connection.
    process: u32,
    /// Whether the keeper knows of it.
    pub(super) is_watched: bool,
}

#[derive(Debug)]
struct Own {
    segment: u16,
    made: Arc<Made>,
    used: bool,
    /// How many large buffers had arrived when it was filled last.
    filled_at: u64,
}

#[derive(Debug)]
struct Theirs {
    segment: u16,
    mapping: Arc<Mapping>,
    used: bool,
}

impl Pool {
    pub(super) fn new() -> Self {
        Self {
            own: Vec::new(),
            theirs: Vec::new(),
            arrived_fds: VecDeque::new(),
            next: 0,
            arrived: 0,
            process: platform::fork_generation(),
            is_watched: false,
        }
    }

    /// A segment of the peer's to put so many bytes into; it is the caller's then.
    pub(super) fn free(&mut self, bytes: usize) -> Option<(u16, Arc<Mapping>)> {
        self.theirs.retain(|theirs| !theirs.mapping.is_gone());
        let mut fitting: Vec<_> =
            self.theirs.iter_mut().filter(|t| fits(&t.mapping, bytes)).collect();
        fitting.sort_by_key(|theirs| theirs.mapping.capacity());
        let theirs = fitting.into_iter().find(|theirs| theirs.mapping.take())?;
        theirs.used = true;
        Some((theirs.segment, theirs.mapping.clone()))
    }

    /// The memory that the peer has filled.
    pub(super) fn take(&mut self, segment: u16, bytes: usize) -> Option<Arc<dyn Memory>> {
        let own = self.own.iter_mut().find(|own| own.segment == segment)?;
        let lease = Lease::new(&own.made, bytes)?;
        self.arrived += 1;
        (own.used, own.filled_at) = (true, self.arrived);
        Some(Arc::new(lease))
    }

    /// Offers a segment where one would have served.
    pub(super) fn missed(&mut self, bytes: usize) -> Option<u16> {
        self.arrived += 1;
        // The first one may be the only one.
        if self.arrived == 1 {
            return None;
        }
        let kept = |own: &Own| own.made.is_leased() && own.filled_at + KEPT_AFTER < self.arrived;
        self.own.iter().filter(|own| kept(own)).for_each(|own| own.made.mapping.keep());
        self.drop_gone();
        // The peer may not have heard of it yet.
        if self.own.iter().any(|own| !own.made.mapping.is_taken() && fits(&own.made.mapping, bytes))
        {
            return None;
        }
        // A little more than is needed now, for messages that grow, if that much may be kept.
        let more = (bytes / 8).min(kept_bytes_max().saturating_sub(bytes));
        let capacity = (bytes + more).next_multiple_of(4096);
        while self.own.len() >= OFFERS_MAX || !reserve(capacity) {
            let retired = self.own.iter().position(|own| own.made.mapping.retire())?;
            drop_own(self.own.swap_remove(retired));
        }
        let segment = self.next;
        let Some(made) = Made::new(segment, capacity).map(Arc::new) else {
            BYTES.fetch_sub(capacity, Ordering::Relaxed);
            return None;
        };
        // The table of buffers has 15 bits for it; those of old are long gone when it comes around.
        self.next = (self.next + 1) % (1 << 15);
        self.own.push(Own { segment, made, used: true, filled_at: self.arrived });
        Some(segment)
    }

    /// Takes a segment that the peer offers.
    pub(super) fn offered(&mut self, segment: u16) {
        let Some(mapping) = self.arrived_fds.pop_front().and_then(Mapping::open) else {
            return;
        };
        self.theirs.retain(|theirs| !theirs.mapping.is_gone());
        if self.theirs.len() < OFFERS_MAX && mapping.number() == u32::from(segment) {
            self.theirs.push(Theirs { segment, mapping: Arc::new(mapping), used: true });
        }
    }

    /// What opens one of this side's segments elsewhere.
    pub(super) fn made(&self, segment: u16) -> Option<Arc<Made>> {
        let own = self.own.iter().find(|own| own.segment == segment)?;
        Some(own.made.clone())
    }

    /// Keeps a descriptor until the offer that it belongs to has been read.
    pub(super) fn descriptor(&mut self, fd: OwnedFd) {
        if self.arrived_fds.len() < OFFERS_MAX {
            self.arrived_fds.push_back(Private::new(fd));
        }
    }

    /// Gives back what was not used since the last time; `false` when nothing is left.
    pub(super) fn give_back(&mut self) -> bool {
        // The connection of a forked child's parent is none of the child's business.
        if self.process != platform::fork_generation() {
            return false;
        }
        for own in &mut self.own {
            if !std::mem::take(&mut own.used) {
                own.made.mapping.retire();
            }
        }
        self.drop_gone();
        self.theirs.retain_mut(|theirs| {
            (std::mem::take(&mut theirs.used) || !theirs.mapping.retire())
                && !theirs.mapping.is_gone()
        });
        self.is_watched = !self.own.is_empty() || !self.theirs.is_empty();
        self.is_watched
    }

    /// Forgets segments that are used no more; an object that lies in one keeps it.
    fn drop_gone(&mut self) {
        self.own.extract_if(.., |own| own.made.mapping.is_gone()).for_each(drop_own);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for own in self.own.drain(..) {
            if self.process == platform::fork_generation() {
                own.made.mapping.retire();
            }
            drop_own(own);
        }
    }
}

/// Whether so many bytes may be put into a segment.
fn fits(mapping: &Mapping, bytes: usize) -> bool {
    (bytes..=bytes.saturating_mul(PART_LEAST)).contains(&mapping.capacity())
}

/// Counts a new segment, unless that would be too much.
fn reserve(capacity: usize) -> bool {
    let most = kept_bytes_max();
    let reserved = BYTES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bytes| {
        bytes.checked_add(capacity).filter(|bytes| *bytes <= most)
    });
    reserved.is_ok()
}

fn drop_own(own: Own) {
    BYTES.fetch_sub(own.made.mapping.capacity(), Ordering::Relaxed);
}

//! The segments of a connection, and their states.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bgpy_proto::Memory;

use super::lease::{Lease, Made};
use crate::memory::grow::kept_bytes_max;
use crate::platform::segment::Mapping;
use crate::platform::{self, Private};

/// Most segments that one side of a connection offers.
const OFFERS_MAX: usize = 16;

/// A segment is filled to at least this fraction, so that a small object does not hold a large
/// segment.
const PART_LEAST: usize = 4;

/// An object that outlives this many large messages is assumed to stay; its segment is no longer
/// counted, and another may be offered.
const KEPT_AFTER: u64 = 64;

/// Total size of the segments that this process has made and not dropped, over all connections.
static BYTES: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug)]
pub(super) struct Pool {
    /// Segments made by this side, which the peer fills.
    own: Vec<Own>,
    /// Segments made by the peer, which this side fills.
    theirs: Vec<Theirs>,
    /// Received descriptors whose offers have not been read yet.
    arrived_fds: VecDeque<Private<OwnedFd>>,
    next: u16,
    /// Number of large buffers received.
    arrived: u64,
    /// The fork generation of the process that owns the connection.
    process: u32,
    /// Whether the reclaimer watches this pool.
    pub(super) is_watched: bool,
}

#[derive(Debug)]
struct Own {
    segment: u16,
    made: Arc<Made>,
    used: bool,
    /// The value of `arrived` when it was last filled.
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

    /// Takes a free segment of the peer with room for `bytes`.
    pub(super) fn free(&mut self, bytes: usize) -> Option<(u16, Arc<Mapping>)> {
        self.theirs.retain(|theirs| !theirs.mapping.is_gone());
        let mut fitting: Vec<_> =
            self.theirs.iter_mut().filter(|t| fits(&t.mapping, bytes)).collect();
        fitting.sort_by_key(|theirs| theirs.mapping.capacity());
        let theirs = fitting.into_iter().find(|theirs| theirs.mapping.take())?;
        theirs.used = true;
        Some((theirs.segment, theirs.mapping.clone()))
    }

    /// The memory of a segment that the peer has filled.
    pub(super) fn take(&mut self, segment: u16, bytes: usize) -> Option<Arc<dyn Memory>> {
        let own = self.own.iter_mut().find(|own| own.segment == segment)?;
        let lease = Lease::new(&own.made, bytes)?;
        self.arrived += 1;
        (own.used, own.filled_at) = (true, self.arrived);
        Some(Arc::new(lease))
    }

    /// Makes a segment to offer, because a buffer came over the stream that a segment could have
    /// carried.
    pub(super) fn missed(&mut self, bytes: usize) -> Option<u16> {
        self.arrived += 1;
        // The first large buffer may be the only one.
        if self.arrived == 1 {
            return None;
        }
        let kept = |own: &Own| own.made.is_leased() && own.filled_at + KEPT_AFTER < self.arrived;
        self.own.iter().filter(|own| kept(own)).for_each(|own| own.made.mapping.keep());
        self.drop_gone();
        // There is a suitable segment already, whose offer the peer may not have read yet.
        if self.own.iter().any(|own| !own.made.mapping.is_taken() && fits(&own.made.mapping, bytes))
        {
            return None;
        }
        // Slightly more than needed now, for messages that grow, unless that exceeds the limit.
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
        // The table of buffers has 15 bits for the number; when it wraps around, old segments are
        // long gone.
        self.next = (self.next + 1) % (1 << 15);
        self.own.push(Own { segment, made, used: true, filled_at: self.arrived });
        Some(segment)
    }

    /// Accepts a segment offered by the peer.
    pub(super) fn offered(&mut self, segment: u16) {
        let Some(mapping) = self.arrived_fds.pop_front().and_then(Mapping::open) else {
            return;
        };
        self.theirs.retain(|theirs| !theirs.mapping.is_gone());
        if self.theirs.len() < OFFERS_MAX && mapping.number() == u32::from(segment) {
            self.theirs.push(Theirs { segment, mapping: Arc::new(mapping), used: true });
        }
    }

    /// One of this side's segments, to send its descriptor.
    pub(super) fn made(&self, segment: u16) -> Option<Arc<Made>> {
        let own = self.own.iter().find(|own| own.segment == segment)?;
        Some(own.made.clone())
    }

    /// Keeps a descriptor until its offer has been read.
    pub(super) fn descriptor(&mut self, fd: OwnedFd) {
        if self.arrived_fds.len() < OFFERS_MAX {
            self.arrived_fds.push_back(Private::new(fd));
        }
    }

    /// Retires the segments unused since the last call; `false` if none is left.
    pub(super) fn give_back(&mut self) -> bool {
        // In a forked child, the connection belongs to the parent.
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

    /// Drops segments that are no longer used; an object in a segment keeps its memory alive.
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

/// Whether a buffer of `bytes` may be put into a segment.
fn fits(mapping: &Mapping, bytes: usize) -> bool {
    (bytes..=bytes.saturating_mul(PART_LEAST)).contains(&mapping.capacity())
}

/// Counts a new segment, unless that would exceed the limit.
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

//! A segment of this side's, as long as an object of this process lies in it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bgpy_proto::Memory;

use super::process::process;
use crate::platform::segment::Mapping;
use crate::platform::{self, Private};

/// A segment that this side has made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) mapping: Mapping,
    pub(super) fd: Private<OwnedFd>,
    /// Whether an object lies in it.
    leased: AtomicBool,
    /// Whether its object is this process's own since a fork.
    parted: AtomicBool,
    /// The fork generation of the process that made it.
    process: u32,
}

impl Made {
    /// Makes a segment; none where the system has no memory or descriptor for one.
    pub(super) fn new(number: u16, capacity: usize) -> Option<Self> {
        let (mapping, fd) = Mapping::create(number, capacity)?;
        let process = platform::fork_generation();
        let (leased, parted) = (AtomicBool::new(false), AtomicBool::new(false));
        Some(Self { mapping, fd, leased, parted, process })
    }

    pub(super) fn is_leased(&self) -> bool {
        self.leased.load(Ordering::Acquire)
    }

    /// Makes the object that lies in it this process's own: a fork is about to copy it. The segment
    /// is not filled again.
    pub(super) fn part(&self) {
        // Only once: what was written since then is not in the segment.
        if self.is_mine() && !self.parted.swap(true, Ordering::Relaxed) {
            self.mapping.keep();
            self.mapping.make_private(&self.fd);
        }
    }

    /// Whether this is the process that made it, and not a child that was forked.
    pub(super) fn is_mine(&self) -> bool {
        self.process == platform::fork_generation()
    }
}

/// An object lies in the segment.
#[derive(Debug)]
pub(super) struct Lease {
    made: Arc<Made>,
    bytes: usize,
}

impl Lease {
    /// Takes what the peer has filled; none when it has not.
    pub(super) fn new(made: &Arc<Made>, bytes: usize) -> Option<Self> {
        let filled = bytes <= made.mapping.capacity() && made.mapping.is_taken();
        if !filled || made.leased.swap(true, Ordering::AcqRel) {
            return None;
        }
        process().leased.push(made.clone());
        Some(Self { made: made.clone(), bytes })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut process = process();
        if let Some(index) = process.leased.iter().position(|made| Arc::ptr_eq(made, &self.made)) {
            process.leased.swap_remove(index);
        }
        drop(process);
        self.made.leased.store(false, Ordering::Release);
        if self.made.is_mine() {
            self.made.mapping.release();
        }
    }
}

impl Memory for Lease {
    fn as_slice(&self) -> &[u8] {
        // SAFETY: the segment is filled so far. The peer has no business in it any more; one that
        // writes to it all the same spoils its own message.
        unsafe { std::slice::from_raw_parts(self.made.mapping.data(), self.bytes) }
    }

    fn as_mut_ptr(&self) -> *mut u8 {
        self.made.mapping.data()
    }
}

//! A segment made by this side, for as long as an object of this process is in it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bgpy_proto::Memory;

use super::process::process;
use crate::platform::segment::Mapping;
use crate::platform::{self, Private};

/// A segment made by this side.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) mapping: Mapping,
    pub(super) fd: Private<OwnedFd>,
    /// Whether an object is in it.
    leased: AtomicBool,
    /// Whether a fork has made its object a private copy.
    parted: AtomicBool,
    /// The fork generation of the process that made it.
    process: u32,
}

impl Made {
    /// Makes a segment; `None` if the system has no memory or descriptor for it.
    pub(super) fn new(number: u16, capacity: usize) -> Option<Self> {
        let (mapping, fd) = Mapping::create(number, capacity)?;
        let process = platform::fork_generation();
        let (leased, parted) = (AtomicBool::new(false), AtomicBool::new(false));
        Some(Self { mapping, fd, leased, parted, process })
    }

    pub(super) fn is_leased(&self) -> bool {
        self.leased.load(Ordering::Acquire)
    }

    /// Makes the object in it private to this process, because a fork is about to copy it. The
    /// segment is never filled again.
    pub(super) fn part(&self) {
        // Only once: later writes are in the private copy, and not in the segment.
        if self.is_mine() && !self.parted.swap(true, Ordering::Relaxed) {
            self.mapping.keep();
            self.mapping.make_private(&self.fd);
        }
    }

    /// Whether this process made it, and not the parent it was forked from.
    pub(super) fn is_mine(&self) -> bool {
        self.process == platform::fork_generation()
    }
}

/// The ownership of a segment by an object.
#[derive(Debug)]
pub(super) struct Lease {
    made: Arc<Made>,
    bytes: usize,
}

impl Lease {
    /// Takes a segment that the peer has filled; `None` if it has not.
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
        // Cleared before the release: once the segment is free, the peer may fill it, and the lease of
        // the next object fails while `leased` is set.
        self.made.leased.store(false, Ordering::Release);
        if self.made.is_mine() {
            self.made.mapping.release();
        }
    }
}

impl Memory for Lease {
    fn as_slice(&self) -> &[u8] {
        // SAFETY: the segment is filled up to `bytes`. The peer must not access it any more; if it
        // writes to it anyway, it corrupts only its own message.
        unsafe { std::slice::from_raw_parts(self.made.mapping.data(), self.bytes) }
    }

    fn as_mut_ptr(&self) -> *mut u8 {
        self.made.mapping.data()
    }
}

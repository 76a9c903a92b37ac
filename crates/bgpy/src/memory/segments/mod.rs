//! Large messages to a process on the same machine, through memory mapped by both.
//!
//! After large messages have come over the stream, each side of a Unix socket connection offers the
//! other segments to fill. A filled segment is not copied: the object made from the message lives
//! in it, and the segment can be filled again when the object is gone. Its pages stay mapped
//! meanwhile, which makes it fast; segments unused for a while are returned to the system.

mod lease;
mod pool;
mod process;

use std::collections::TryReserveError;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};

use bgpy_proto::{Buffer, Memory, Payload, Supply};

use self::pool::Pool;
use crate::memory::grow::grow;
use crate::memory::reclaim;
use crate::platform;
use crate::platform::segment::{self, Mapping};
use crate::sync::lock;

/// Whether this system has segments.
pub(crate) const SUPPORTED: bool = true;

/// Buffers of fewer bytes are as fast over the stream.
const LENT_LEAST: usize = 256 << 10;

/// The segments of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Segments {
    pool: Arc<Mutex<Pool>>,
}

impl Segments {
    /// `Some` on this system.
    pub(crate) fn new() -> Option<Self> {
        Some(Self { pool: Arc::new(Mutex::new(Pool::new())) })
    }

    /// The memory supply for messages of the connection.
    pub(crate) fn supply(&self) -> Box<dyn Supply> {
        Box::new(self.clone())
    }

    /// Reads once, without blocking if `now` is set, and keeps a descriptor that comes along. Also
    /// returns whether one did: such a read ends there, even if more bytes wait.
    pub(crate) fn recv(
        &self,
        socket: impl AsFd,
        bytes: &mut [u8],
        now: bool,
    ) -> io::Result<(usize, bool)> {
        segment::recv(socket, bytes, now, |fd| lock(&self.pool).descriptor(fd))
    }

    /// Writes what fits of an offer without blocking, with its descriptor.
    pub(crate) fn send_offer(
        &self,
        socket: impl AsFd,
        offer: &[u8],
        segment: u16,
    ) -> io::Result<usize> {
        // If the segment was dropped meanwhile, the offer is sent without a descriptor, and the
        // peer ignores it.
        let made = lock(&self.pool).made(segment);
        segment::send_now(socket, offer, made.as_ref().map(|made| made.fd.as_fd()))
    }

    /// Registers the pool with the reclaimer, which frees idle segments.
    fn watch(&self) {
        let mut pool = lock(&self.pool);
        if !pool.is_watched {
            let weak = Arc::downgrade(&self.pool);
            let give_back = move || weak.upgrade().is_some_and(|pool| lock(&pool).give_back());
            pool.is_watched = reclaim::watch(give_back);
        }
    }

    /// Moves the large buffers of a message into free segments of the peer, as far as there are
    /// any.
    pub(crate) fn lend(&self, payload: &mut Payload) -> Loans {
        let mut loans = Loans { mappings: Vec::new(), process: platform::fork_generation() };
        for buffer in payload.buffers.iter_mut().filter(|buffer| buffer.len() >= LENT_LEAST) {
            let Some((segment, mapping)) = lock(&self.pool).free(buffer.len()) else { continue };
            loans.mappings.push(mapping.clone());
            let memory = Arc::new(Filled::new(mapping, buffer));
            *buffer = Buffer::Lent { segment, memory };
        }
        loans
    }
}

impl Supply for Segments {
    fn grow(
        &mut self,
        bytes: &mut Vec<u8>,
        least: usize,
        most: u64,
    ) -> Result<(), TryReserveError> {
        grow(bytes, least, most)
    }

    fn has_segments(&self) -> bool {
        true
    }

    fn take(&mut self, segment: u16, bytes: usize) -> Option<Arc<dyn Memory>> {
        lock(&self.pool).take(segment, bytes)
    }

    fn missed(&mut self, bytes: usize) -> Option<u16> {
        if bytes < LENT_LEAST {
            return None;
        }
        let segment = lock(&self.pool).missed(bytes)?;
        self.watch();
        Some(segment)
    }

    fn offered(&mut self, segment: u16) {
        lock(&self.pool).offered(segment);
        self.watch();
    }
}

/// Segments that hold a message not sent yet; dropped without `sent`, they become free again.
#[derive(Debug)]
pub(crate) struct Loans {
    mappings: Vec<Arc<Mapping>>,
    /// The fork generation of the process that sends the message.
    process: u32,
}

impl Loans {
    /// Leaves the segments to the receiver.
    pub(crate) fn sent(mut self) {
        self.mappings.clear();
    }
}

impl Drop for Loans {
    fn drop(&mut self) {
        // In a forked child, the message may still be sent by its parent.
        if self.process == platform::fork_generation() {
            self.mappings.iter().for_each(|mapping| mapping.release());
        }
    }
}

/// A segment of the peer that this side has filled.
#[derive(Debug)]
struct Filled {
    mapping: Arc<Mapping>,
    bytes: usize,
}

impl Filled {
    fn new(mapping: Arc<Mapping>, bytes: &[u8]) -> Self {
        mapping.fill(bytes);
        Self { mapping, bytes: bytes.len() }
    }
}

impl Memory for Filled {
    fn as_slice(&self) -> &[u8] {
        // SAFETY: it is filled up to `bytes`, and not written to before the receiver has it.
        unsafe { std::slice::from_raw_parts(self.mapping.data(), self.bytes) }
    }

    fn as_mut_ptr(&self) -> *mut u8 {
        self.mapping.data()
    }
}

#[cfg(test)]
mod tests;

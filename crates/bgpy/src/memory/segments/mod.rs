//! Large messages to a process on the same machine, by memory that both have mapped.
//!
//! Each side of a connection by Unix socket offers the other segments to fill, after large messages
//! have come by the stream. What is filled needs no copy any more: the object that a message
//! becomes lies in the segment, and the segment is filled again when the object is gone. Its pages
//! stay warm meanwhile, which is what makes it fast; segments that are not used for a while are
//! given back to the system.

mod lease;
mod pool;
mod process;

use std::collections::TryReserveError;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};

use bgpy_proto::{Buffer, Memory, Payload, Supply};

use self::pool::Pool;
use crate::memory::{grow, reclaim};
use crate::platform;
use crate::platform::segment::{self, Mapping};
use crate::sync::lock;

/// Whether this system has segments.
pub(crate) const SUPPORTED: bool = true;

/// Buffers of fewer bytes are as fast by the stream.
const LENT_LEAST: usize = 256 << 10;

/// The segments of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Segments {
    pool: Arc<Mutex<Pool>>,
}

impl Segments {
    /// Some, on this system.
    pub(crate) fn new() -> Option<Self> {
        Some(Self { pool: Arc::new(Mutex::new(Pool::new())) })
    }

    /// What gives memory to the messages of the connection.
    pub(crate) fn supply(&self) -> Box<dyn Supply> {
        Box::new(self.clone())
    }

    /// Reads once, without waiting if `now` says so, and keeps the descriptor that comes along, if
    /// one does, which is told. Such a read ends there, even when more bytes wait.
    pub(crate) fn recv(
        &self,
        socket: impl AsFd,
        bytes: &mut [u8],
        now: bool,
    ) -> io::Result<(usize, bool)> {
        segment::recv(socket, bytes, now, |fd| lock(&self.pool).descriptor(fd))
    }

    /// Writes without waiting what fits of an offer, with its descriptor.
    pub(crate) fn send_offer(
        &self,
        socket: impl AsFd,
        offer: &[u8],
        segment: u16,
    ) -> io::Result<usize> {
        // One that was given up meanwhile is offered without a descriptor, and nobody takes it.
        let made = lock(&self.pool).made(segment);
        segment::send_now(socket, offer, made.as_ref().map(|made| made.fd.as_fd()))
    }

    /// Sees to it that segments which lie idle are given back.
    fn watch(&self) {
        let mut pool = lock(&self.pool);
        if !pool.is_watched {
            let weak = Arc::downgrade(&self.pool);
            let give_back = move || weak.upgrade().is_some_and(|pool| lock(&pool).give_back());
            pool.is_watched = reclaim::watch(give_back);
        }
    }

    /// Moves the large buffers of a message into segments of the peer's, as far as some are free.
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

/// Segments that a message which is not sent yet lies in; they are free again unless it is.
#[derive(Debug)]
pub(crate) struct Loans {
    mappings: Vec<Arc<Mapping>>,
    /// The fork generation of the process that sends the message.
    process: u32,
}

impl Loans {
    /// Leaves them to the receiver.
    pub(crate) fn sent(mut self) {
        self.mappings.clear();
    }
}

impl Drop for Loans {
    fn drop(&mut self) {
        // The message of a forked child's parent may be sent still.
        if self.process == platform::fork_generation() {
            self.mappings.iter().for_each(|mapping| mapping.release());
        }
    }
}

/// A segment of the peer's that this side has filled.
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
        // SAFETY: so much was filled, and nobody writes to it before the receiver has it.
        unsafe { std::slice::from_raw_parts(self.mapping.data(), self.bytes) }
    }

    fn as_mut_ptr(&self) -> *mut u8 {
        self.mapping.data()
    }
}

#[cfg(test)]
mod tests;

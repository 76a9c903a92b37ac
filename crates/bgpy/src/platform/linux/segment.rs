//! Memory mapped by two processes.
//!
//! A segment is a sealed `memfd`: it cannot be shrunk, so no access to it can fault. Its first page
//! holds its state, which both sides may change; the rest is data.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{Advice, MapFlags, ProtFlags};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use crate::platform::Private;
use crate::sync::lock;

/// Bytes before the data.
const HEAD_BYTES: usize = 4096;

/// The peer may take it.
const FREE: u32 = 0;
/// The peer is filling it, or its message is in it.
const TAKEN: u32 = 1;
/// It is no longer used.
const GONE: u32 = 2;

/// A segment as mapped by this process.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    capacity: usize,
    pages: Mutex<Pages>,
}

/// Which pages of a segment are allocated. Allocating page by page at the first access takes three
/// times as long.
#[derive(Debug)]
enum Pages {
    /// None, as far as this process knows; a write to the descriptor allocates them without
    /// clearing them first.
    Missing(Private<OwnedFd>),
    /// Allocated, but not in this process's page table.
    Made,
    Mapped,
}

// SAFETY: the state is atomic, and the data is accessed only by the side that has taken the segment
// through the state.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Creates a segment with `capacity` bytes of data, and a descriptor by which the peer opens
    /// it.
    pub(crate) fn create(number: u16, capacity: usize) -> Option<(Self, Private<OwnedFd>)> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = Private::open(|| rustix::fs::memfd_create("bgpy", flags)).ok()?;
        rustix::fs::ftruncate(&fd, (HEAD_BYTES + capacity) as u64).ok()?;
        rustix::fs::fcntl_add_seals(&fd, seals()).ok()?;
        let mapping = Self::map(&fd, capacity)?;
        mapping.word(1).store(number.into(), Ordering::Relaxed);
        Some((mapping, fd))
    }

    /// Opens a segment of the peer; `None` if the descriptor is something else.
    pub(crate) fn open(fd: Private<OwnedFd>) -> Option<Self> {
        let sealed = rustix::fs::fcntl_get_seals(&fd).ok()?;
        let size = usize::try_from(rustix::fs::fstat(&fd).ok()?.st_size).ok()?;
        if !sealed.contains(seals()) {
            return None;
        }
        let capacity = size.checked_sub(HEAD_BYTES).filter(|capacity| *capacity > 0)?;
        let mut mapping = Self::map(&fd, capacity)?;
        mapping.pages = Mutex::new(Pages::Missing(fd));
        Some(mapping)
    }

    fn map(fd: &impl AsFd, capacity: usize) -> Option<Self> {
        let (access, length) = (ProtFlags::READ | ProtFlags::WRITE, HEAD_BYTES + capacity);
        // SAFETY: a new mapping, at an address chosen by the kernel.
        let start = unsafe {
            rustix::mm::mmap(std::ptr::null_mut(), length, access, MapFlags::SHARED, fd, 0)
        };
        let start = NonNull::new(start.ok()?.cast())?;
        let mapping = Self { start, capacity, pages: Mutex::new(Pages::Mapped) };
        mapping.advise(Advice::LinuxHugepage, capacity);
        Some(mapping)
    }

    /// Capacity for data, in bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Start of the data.
    pub(crate) fn data(&self) -> *mut u8 {
        // SAFETY: the mapping is longer than its head.
        unsafe { self.start.as_ptr().add(HEAD_BYTES) }
    }

    /// Copies bytes to the start of the data. The caller has taken the segment.
    pub(crate) fn fill(&self, bytes: &[u8]) {
        assert!(bytes.len() <= self.capacity, "a segment that fits was taken");
        let mut pages = lock(&self.pages);
        let written = match &*pages {
            Pages::Missing(fd) => write_all(fd, bytes).is_ok(),
            Pages::Made => {
                self.advise(Advice::LinuxPopulateWrite, bytes.len());
                false
            }
            Pages::Mapped => false,
        };
        *pages = if written { Pages::Made } else { Pages::Mapped };
        if !written {
            // SAFETY: the segment is taken by the caller, and is large enough.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.data(), bytes.len()) };
        }
    }

    fn state(&self) -> &AtomicU32 {
        self.word(0)
    }

    /// Its number on its connection.
    pub(crate) fn number(&self) -> u32 {
        self.word(1).load(Ordering::Relaxed)
    }

    /// A word of the head.
    fn word(&self, index: usize) -> &AtomicU32 {
        assert!(index < HEAD_BYTES / 4, "the word is in the head");
        // SAFETY: it is in the head, aligned, and the mapping lives as long as `self`.
        unsafe { AtomicU32::from_ptr(self.start.as_ptr().cast::<u32>().add(index)) }
    }

    /// Takes the segment if it is free.
    pub(crate) fn take(&self) -> bool {
        self.change(FREE, TAKEN)
    }

    /// Frees the segment, unless it is no longer used.
    pub(crate) fn release(&self) {
        self.change(TAKEN, FREE);
    }

    /// Retires the segment if it is free; its memory returns to the system.
    pub(crate) fn retire(&self) -> bool {
        let retired = self.change(FREE, GONE);
        if retired {
            self.advise(Advice::LinuxRemove, self.capacity);
        }
        retired
    }

    /// Marks it as never free again.
    pub(crate) fn keep(&self) {
        self.state().store(GONE, Ordering::Release);
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.state().load(Ordering::Acquire) == TAKEN
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.state().load(Ordering::Acquire) == GONE
    }

    /// Changes the state. The release publishes this side's writes to the data, and the acquire makes
    /// those of the peer visible, so that whichever side has the segment sees all earlier writes.
    fn change(&self, from: u32, to: u32) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        self.state().compare_exchange(from, to, success, failure).is_ok()
    }

    /// Advises the system about the first `bytes` of the data.
    fn advise(&self, advice: Advice, bytes: usize) {
        // SAFETY: the advices given here keep the mapping; the one that drops its data is given
        // only by the side that has taken the segment. If the kernel cannot comply, nothing
        // changes.
        let _ = unsafe { rustix::mm::madvise(self.data().cast(), bytes, advice) };
    }

    /// Replaces the mapping with a private copy. This process and each child it forks have their
    /// own, so later writes are visible to no other process.
    pub(crate) fn make_private(&self, fd: &impl AsFd) {
        let (access, flags) =
            (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::FIXED);
        // SAFETY: it replaces this mapping with one of the same bytes, length and access.
        let replaced = unsafe {
            rustix::mm::mmap(self.start.as_ptr().cast(), self.length(), access, flags, fd, 0)
        };
        // If there is no memory for the page tables, the fork that follows fails as well.
        let _ = replaced;
    }

    fn length(&self) -> usize {
        HEAD_BYTES + self.capacity
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: users of the mapping hold `self`. Unmapping an existing mapping cannot fail.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.length()) };
    }
}

/// Writes bytes to the data of a segment.
fn write_all(fd: &impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    let mut at = HEAD_BYTES as u64;
    while !bytes.is_empty() {
        let count = rustix::io::retry_on_intr(|| rustix::io::pwrite(fd, bytes, at))?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[count..];
        at += count as u64;
    }
    Ok(())
}

/// The operations that are sealed off.
fn seals() -> SealFlags {
    SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL
}

/// Writes what fits without blocking, with a descriptor if there is one.
pub(crate) fn send_now(
    socket: impl AsFd,
    bytes: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = descriptor.as_slice();
    if !descriptors.is_empty() {
        // It has room for one descriptor.
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    Ok(rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)?)
}

/// Reads once, and receives the descriptors that come along. Also returns whether any came: such a
/// read ends there, even if more bytes wait, and even if the process has no free descriptor and the
/// system drops the received ones.
pub(crate) fn recv(
    socket: impl AsFd,
    bytes: &mut [u8],
    now: bool,
    mut arrived: impl FnMut(OwnedFd),
) -> io::Result<(usize, bool)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut flags = RecvFlags::CMSG_CLOEXEC;
    flags.set(RecvFlags::DONTWAIT, now);
    let received =
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut control, flags)?;
    let mut has_descriptor = received.flags.contains(ReturnFlags::CTRUNC);
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            has_descriptor = true;
            descriptors.for_each(&mut arrived);
        }
    }
    Ok((received.bytes, has_descriptor))
}

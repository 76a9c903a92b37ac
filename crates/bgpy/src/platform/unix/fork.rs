//! Forks: what happens to descriptors and locks in the child.
//!
//! A forked child has a copy of every descriptor and every lock, even of locks held by other
//! threads, which do not exist in the child and never release them. So the few process-wide locks
//! are taken before a fork and released after it on both sides, and descriptors that no child may
//! have are [`Private`]: the child closes them before anything else runs in it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::own_signals::{restore_signals, wake_up_descriptor};
use crate::platform::{ForkHooks, ForkLock};
use crate::sync::ForkMutex;

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// The hooks for each [`ForkLock`] in use.
static HOOKS: [AtomicPtr<ForkHooks>; ForkLock::COUNT] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; ForkLock::COUNT];

/// The numbers of all descriptors that a child closes.
static PRIVATE: ForkMutex<BTreeSet<RawFd>> = ForkMutex::new(BTreeSet::new());

impl ForkLock {
    /// The number of these locks.
    const COUNT: usize = Self::Segments as usize + 1;
}

/// A number that differs between a process and its forked children. Asking for the process id
/// instead would cost each call of a client one system call.
pub(crate) fn fork_generation() -> u32 {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        // SAFETY: the handlers use only atomics, locks that no other thread holds at that point,
        // and system calls.
        let failed = unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        assert_eq!(failed, 0, "there is memory for one fork handler");
    });
    // Relaxed: it changes only in a forked child, before any other thread runs there.
    GENERATION.load(Ordering::Relaxed)
}

/// Installs hooks that run around each fork. Must be called before the lock is taken for the first
/// time.
pub(crate) fn at_fork(lock: ForkLock, hooks: &'static ForkHooks) {
    let slot = &HOOKS[lock as usize];
    if slot.load(Ordering::Acquire).is_null() {
        // A fork under way holds this lock, so it is over before the hooks are installed.
        let _private = PRIVATE.lock();
        slot.store(std::ptr::from_ref(hooks).cast_mut(), Ordering::Release);
    }
}

fn hooks() -> impl DoubleEndedIterator<Item = &'static ForkHooks> {
    // SAFETY: a slot is null, or was stored from a static reference.
    HOOKS.iter().filter_map(|slot| unsafe { slot.load(Ordering::Acquire).as_ref() })
}

extern "C" fn before() {
    // In the order of `ForkLock`, in which they may be nested; released in reverse.
    hooks().for_each(|hooks| (hooks.before)());
    // `PRIVATE` is the last lock in the order: it may be taken while others are held, and no other
    // lock is taken while it is held.
    PRIVATE.hold(|_| ());
}

extern "C" fn in_parent() {
    PRIVATE.let_go(|_| ());
    hooks().rev().for_each(|hooks| (hooks.after)(false));
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    // Whoever blocks signals for a fork restores their handlers in the child.
    let has_hooks = BLOCKED.get().is_some();
    let kept = if has_hooks { -1 } else { wake_up_descriptor() };
    PRIVATE.let_go(|descriptors| {
        for descriptor in descriptors.iter() {
            // Handlers still write to it: another file must not get its number.
            if *descriptor != kept || !blank(kept) {
                // SAFETY: the owner was copied with the process, and does not use it in the child.
                unsafe { libc::close(*descriptor) };
            }
        }
        descriptors.clear();
    });
    hooks().rev().for_each(|hooks| (hooks.after)(true));
    if !has_hooks {
        restore_signals();
    }
}

/// Replaces a descriptor with one that takes and gives nothing; returns whether that was possible.
fn blank(descriptor: RawFd) -> bool {
    // SAFETY: the descriptor is this module's own, and the other one is new.
    unsafe {
        let nothing = libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if nothing < 0 {
            return false;
        }
        let is_replaced = libc::dup2(nothing, descriptor) >= 0
            && libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) >= 0;
        libc::close(nothing);
        is_replaced
    }
}

/// The owner of a descriptor that no forked child may have. In a child the owner still exists, but
/// the descriptor is closed and must not be used.
#[derive(Debug)]
pub(crate) struct Private<T: AsRawFd> {
    value: ManuallyDrop<T>,
    /// Tells the descriptor from another one with the same number.
    identity: Option<(u64, u64)>,
    /// The fork generation of the process that owns it.
    process: u32,
}

impl<T: AsRawFd> Private<T> {
    /// Opens a descriptor; `open` must not block. The lock keeps forks out until the descriptor is
    /// recorded, so no child has one that it does not close.
    pub(crate) fn open<E>(open: impl FnOnce() -> Result<T, E>) -> Result<Self, E> {
        let process = fork_generation();
        let mut descriptors = PRIVATE.lock();
        let value = open()?;
        descriptors.insert(value.as_raw_fd());
        drop(descriptors);
        let identity = identity(&value);
        Ok(Self { value: ManuallyDrop::new(value), identity, process })
    }

    /// Keeps an open descriptor from children forked from now on.
    pub(crate) fn new(value: T) -> Self {
        let opened: Result<Self, std::convert::Infallible> = Self::open(|| Ok(value));
        let Ok(value) = opened;
        value
    }

    /// Releases the descriptor to an owner whose children may have it.
    pub(crate) fn into_inner(self) -> T {
        let mut this = ManuallyDrop::new(self);
        if this.is_here() {
            PRIVATE.lock().remove(&this.value.as_raw_fd());
        }
        // SAFETY: the value is not used or dropped after it is taken.
        unsafe { ManuallyDrop::take(&mut this.value) }
    }

    /// Whether this is still the descriptor that was opened, not closed or replaced by other code.
    pub(crate) fn is_intact(&self) -> bool {
        self.is_here() && self.identity == identity(&*self.value)
    }

    /// Whether this process owns it.
    fn is_here(&self) -> bool {
        self.process == fork_generation()
    }
}

impl<T: AsRawFd> Drop for Private<T> {
    fn drop(&mut self) {
        if !self.is_here() {
            // In a child the number may already be another descriptor's.
            return;
        }
        let mut descriptors = PRIVATE.lock();
        descriptors.remove(&self.value.as_raw_fd());
        // A task that closes every descriptor it finds may have opened others since, which must not
        // be closed here.
        if self.identity == identity(&*self.value) {
            // Closed with the lock held: otherwise a child could close the descriptor that gets the
            // number next. SAFETY: the value is not used after its owner is dropped.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}

fn identity(descriptor: &impl AsRawFd) -> Option<(u64, u64)> {
    // SAFETY: the number is only passed to the system, which returns an error if it is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor.as_raw_fd()) };
    let about = rustix::fs::fstat(borrowed).ok()?;
    Some((about.st_dev as u64, about.st_ino as u64))
}

impl<T: AsRawFd> Deref for Private<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: AsRawFd> DerefMut for Private<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: AsRawFd + AsFd> AsFd for Private<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        T::as_fd(self)
    }
}

thread_local! {
    /// The signal mask of this thread before all signals were blocked.
    static BLOCKED: Cell<Option<libc::sigset_t>> = const { Cell::new(None) };
}

/// See [`crate::fork`].
pub(crate) fn block_signals() {
    // SAFETY: both sets are written before they are read, and the calls fail only for invalid
    // arguments.
    let before = unsafe {
        let (mut all, mut before) = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        before
    };
    BLOCKED.set(Some(before));
}

/// See [`crate::fork`].
pub(crate) fn unblock_signals() {
    if let Some(before) = BLOCKED.take() {
        // SAFETY: the set was filled in by the system.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        }
    }
}

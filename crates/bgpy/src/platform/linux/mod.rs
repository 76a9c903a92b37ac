//! Linux.

mod peer;
mod process;
pub(crate) mod segment;
mod tcp;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::mm::{Advice, madvise};
use rustix::net::SendFlags;

pub(crate) use peer::*;
pub(crate) use process::*;
pub(crate) use tcp::*;

/// Makes a write to a socket whose reader is gone return an error without raising SIGPIPE.
pub(in crate::platform) const NO_SIGPIPE: SendFlags = SendFlags::NOSIGNAL;

/// A signal that nobody uses: debuggers and profilers take those at the ends of the range.
pub(in crate::platform) fn spare_signal() -> i32 {
    libc::SIGRTMAX() - 9
}

/// Identifies this boot of this machine; empty if it is unknown.
pub(in crate::platform) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

/// A file in memory without a path.
pub(in crate::platform) fn memory_file() -> io::Result<File> {
    Ok(rustix::fs::memfd_create("bgpy", rustix::fs::MemfdFlags::CLOEXEC)?.into())
}

/// The address of a service manager's socket: a path, or an abstract name after an `@`.
pub(in crate::platform) fn notification_address(place: &OsStr) -> io::Result<SocketAddr> {
    match place.as_encoded_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(place),
    }
}

/// Checks that a poller watches a descriptor of its owner, which a poller that other code has
/// opened under the same number does not.
pub(crate) fn check_poller(poller: i32, watched: i32) -> io::Result<()> {
    // SAFETY: the numbers are only passed to the system, which returns an error if they are not
    // open.
    let [poller, watched] = [poller, watched].map(|fd| unsafe { BorrowedFd::borrow_raw(fd) });
    match epoll::add(poller, watched, EventData::new_u64(u64::MAX), EventFlags::empty()) {
        Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => {
            // The poller belongs to other code: undo the registration.
            let _ = epoll::delete(poller, watched);
            Err(io::Error::other("the poller is another one"))
        }
    }
}

/// Consumes a pending signal of a set, if there is one.
pub(in crate::platform) fn take_pending(set: &libc::sigset_t) {
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both live for the duration of the call. Without a pending signal it returns at once.
    unsafe { libc::sigtimedwait(set, std::ptr::null_mut(), &raw const at_once) };
}

/// Makes the allocator return free memory, of which it keeps tens of megabytes after a large
/// message.
pub(crate) fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it locks what it examines, and touches nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Requests huge pages for all of a large vector: a mapping that has them only in part cannot grow
/// in place.
pub(crate) fn prefer_huge_pages(bytes: &mut Vec<u8>) {
    let page = rustix::param::page_size();
    let start = bytes.as_mut_ptr();
    let before = start.addr() % page;
    let length = (before + bytes.capacity()).next_multiple_of(page);
    // SAFETY: other data on the first and last page is unaffected, because the advice changes
    // no byte. A kernel without huge pages rejects it and uses small ones.
    let _ = unsafe { madvise(start.wrapping_sub(before).cast(), length, Advice::LinuxHugepage) };
}

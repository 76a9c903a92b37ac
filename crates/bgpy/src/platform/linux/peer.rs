//! Who is at the other end of a Unix socket.

use std::os::fd::{AsFd, AsRawFd};

/// Whether the process at the other end of a Unix socket belongs to this user.
pub(crate) fn is_same_user(stream: &impl AsFd) -> bool {
    peer(stream).is_some_and(|peer| peer.uid == rustix::process::geteuid().as_raw())
}

/// The process that listens at the other end of a Unix socket, or did when it started to listen;
/// `None` if it is unknown, as for one in another container.
pub(crate) fn peer_process(stream: &impl AsFd) -> Option<u32> {
    peer(stream).and_then(|peer| u32::try_from(peer.pid).ok()).filter(|pid| *pid > 0)
}

fn peer(stream: &impl AsFd) -> Option<libc::ucred> {
    // Not through rustix, which rejects a process id of 0: that of a peer in another pid namespace.
    let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of_val(&peer) as libc::socklen_t;
    // SAFETY: the descriptor is open, and the buffer has the given length.
    let failed = unsafe {
        libc::getsockopt(
            stream.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    (failed == 0).then_some(peer)
}

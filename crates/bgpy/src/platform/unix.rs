//! Unix, through rustix.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use rustix::process::{Resource, Rlimit};
use socket2::{SockAddr, Socket};

/// Connects to a Unix socket.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] if the server's accept queue stayed full until the limit,
/// [`io::ErrorKind::ConnectionRefused`] if nothing listens or the socket is of another type,
/// [`io::ErrorKind::PermissionDenied`] if the server belongs to another user.
pub(crate) fn connect_file(path: &Path, limit: Duration) -> io::Result<Socket> {
    let socket = Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.set_write_timeout(Some(limit))?;
    socket.connect(&SockAddr::unix(path)?).map_err(|error| match error.raw_os_error() {
        Some(code) if code == Errno::PROTOTYPE.raw_os_error() => {
            io::ErrorKind::ConnectionRefused.into()
        }
        _ => error,
    })?;
    // Data on a Unix socket is not encrypted.
    if is_same_user(&socket) {
        Ok(socket)
    } else {
        let text = "another user listens on the socket";
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    }
}

/// Starts to connect; the socket becomes writable when that is done.
pub(crate) fn connect_start(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    match socket.connect(address) {
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => Ok(()),
        result => result,
    }
}

/// Completes [`connect_start`] after the socket became writable.
pub(crate) fn connect_finish(socket: &Socket) -> io::Result<()> {
    match socket.take_error()? {
        Some(error) => Err(error),
        None => socket.set_nonblocking(false),
    }
}

/// Writes what fits without blocking.
pub(crate) fn send_now(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
}

/// Writes what fits of several slices without blocking.
pub(crate) fn send_slices_now(socket: impl AsFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    Ok(rustix::net::sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags)?)
}

/// Reads what is there without blocking.
pub(crate) fn recv_now(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    let (bytes, _) = rustix::net::recv(socket, buffer, RecvFlags::DONTWAIT)?;
    Ok(bytes)
}

/// Appends what is there to a vector without blocking, at most `most` bytes, for which it has room.
pub(crate) fn read_end(socket: impl AsFd, bytes: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    let length = bytes.len();
    let room = &mut bytes.spare_capacity_mut()[..most];
    let ((read, _), _) = rustix::net::recv(socket, room, RecvFlags::DONTWAIT)?;
    let read = read.len();
    // SAFETY: this many bytes after the end were just written.
    unsafe { bytes.set_len(length + read) };
    Ok(read)
}

/// The readiness of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// Waits until the socket is ready or the time is over.
///
/// # Errors
/// [`io::ErrorKind::Interrupted`] if a signal arrived.
pub(crate) fn wait(
    socket: &Socket,
    readable: bool,
    writable: bool,
    limit: Duration,
) -> io::Result<Readiness> {
    let mut interest = PollFlags::empty();
    interest.set(PollFlags::IN, readable);
    interest.set(PollFlags::OUT, writable);
    let mut fds = [PollFd::from_borrowed_fd(socket.as_fd(), interest)];
    let limit = Timespec::try_from(limit).unwrap_or(Timespec { tv_sec: 1 << 30, tv_nsec: 0 });
    poll(&mut fds, Some(&limit))?;
    // An error or a hang-up shows at the following read or write.
    let broken = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    let ready = fds[0].revents();
    Ok(Readiness {
        readable: readable && ready.intersects(PollFlags::IN | broken),
        writable: writable && ready.intersects(PollFlags::OUT | broken),
    })
}

/// Whether the process at the other end of a Unix socket belongs to this user.
pub(crate) fn is_same_user(stream: &impl AsFd) -> bool {
    #[cfg(target_os = "linux")]
    {
        peer(stream).is_some_and(|peer| peer.uid == rustix::process::geteuid().as_raw())
    }
    #[cfg(not(target_os = "linux"))]
    {
        // The directory's mode 0700 keeps other users out.
        let _ = stream;
        true
    }
}

/// The process that listens at the other end of a Unix socket, or did when it started to listen;
/// `None` if it is unknown, as for one in another container.
pub(crate) fn peer_process(stream: &impl AsFd) -> Option<u32> {
    #[cfg(target_os = "linux")]
    {
        peer(stream).and_then(|peer| u32::try_from(peer.pid).ok()).filter(|pid| *pid > 0)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = stream;
        None
    }
}

#[cfg(target_os = "linux")]
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

/// The limit of this process's address space in bytes, if there is one.
pub(crate) fn address_bytes_max() -> Option<usize> {
    usize::try_from(rustix::process::getrlimit(Resource::As).current?).ok()
}

/// Makes the allocator return free memory, of which it keeps tens of megabytes after a large
/// message.
pub(crate) fn trim_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it locks what it examines, and touches nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Requests huge pages for all of a large vector: a mapping that has them only in part cannot grow
/// in place.
pub(crate) fn prefer_huge_pages(bytes: &mut Vec<u8>) {
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{Advice, madvise};
        let page = rustix::param::page_size();
        let start = bytes.as_mut_ptr();
        let before = start.addr() % page;
        let length = (before + bytes.capacity()).next_multiple_of(page);
        // SAFETY: other data on the first and last page is unaffected, because the advice changes
        // no byte. A kernel without huge pages rejects it and uses small ones.
        let _ =
            unsafe { madvise(start.wrapping_sub(before).cast(), length, Advice::LinuxHugepage) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = bytes;
}

/// Raises the soft descriptor limit to the hard limit.
pub(crate) fn raise_descriptor_limit() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    // If that fails, the old limit applies, and the limit on handshakes still holds.
    let _ = rustix::process::setrlimit(
        Resource::Nofile,
        Rlimit { current: limit.maximum, maximum: limit.maximum },
    );
}

/// Leaves the session, terminal and process group of the parent, and closes the descriptors it left
/// open.
///
/// Rust and Python open descriptors close-on-exec, so any descriptor without that flag is the
/// parent's: for example, a pipe whose reader waits for EOF.
pub(crate) fn detach() -> io::Result<()> {
    match rustix::process::setsid() {
        Ok(_) | Err(Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let Ok(directory) = std::fs::read_dir("/dev/fd") else { return Ok(()) };
    let inherited: Vec<i32> = directory
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in inherited {
        close_inherited(fd);
    }
    Ok(())
}

fn close_inherited(fd: i32) {
    drop(take_inherited(fd));
}

/// Makes a descriptor inheritable by a program that this process starts, and returns its number.
pub(crate) fn hand_on(descriptor: &impl AsFd) -> io::Result<i32> {
    rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::empty())?;
    Ok(descriptor.as_fd().as_raw_fd())
}

/// Takes ownership of an inherited descriptor.
pub(crate) fn take_inherited(fd: i32) -> io::Result<OwnedFd> {
    use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
    // SAFETY: the descriptor is only queried for its flags, which returns an error if it is not
    // open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    if fcntl_getfd(borrowed)?.contains(FdFlags::CLOEXEC) {
        return Err(Errno::BADF.into());
    }
    // SAFETY: nothing in this process opened it (see `detach`), so nothing else owns it; and once
    // taken it has the close-on-exec flag, so it is not taken again.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    fcntl_setfd(&owned, FdFlags::CLOEXEC)?;
    Ok(owned)
}

/// Whether standard error is a regular file, to which writes do not block.
pub(crate) fn stderr_is_file() -> bool {
    let about = rustix::fs::fstat(rustix::stdio::stderr());
    about.is_ok_and(|about| rustix::fs::FileType::from_raw_mode(about.st_mode).is_file())
}

/// Writes to standard output without the lock and the buffer of the standard library: a thread that
/// blocks in there on a slow reader would block all others.
pub(crate) fn write_stdout(bytes: &[u8]) -> io::Result<usize> {
    write_patiently(rustix::stdio::stdout(), bytes)
}

/// Writes to standard error in the same way.
pub(crate) fn write_stderr(bytes: &[u8]) -> io::Result<usize> {
    write_patiently(rustix::stdio::stderr(), bytes)
}

fn write_patiently(output: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match super::write(output, bytes) {
            // Another process that shares it may have made it non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(&output, PollFlags::OUT)], None)?;
            }
            result => return result,
        }
    }
}

/// Opens a file for appending, creating it if it is missing. Does not block.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NXIO) => io::Error::other("it is a FIFO, and nobody reads from it yet"),
        _ => error,
    })?;
    // Writes to it may block.
    let flags = rustix::fs::fcntl_getfl(&file)?;
    rustix::fs::fcntl_setfl(&file, flags.difference(rustix::fs::OFlags::NONBLOCK))?;
    Ok(file)
}

/// Makes `file` the process's standard output and standard error.
pub(crate) fn redirect_output(file: &File) -> io::Result<()> {
    rustix::stdio::dup2_stdout(file)?;
    rustix::stdio::dup2_stderr(file)?;
    Ok(())
}

/// Takes standard input, and replaces it with /dev/null.
pub(crate) fn take_input() -> io::Result<File> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(input.into())
}

/// Takes standard output, and replaces it with standard error, which is the log.
pub(crate) fn take_output() -> io::Result<File> {
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(output.into())
}

/// Creates a directory that only this user may enter, or checks that it is one.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    super::check_private(path)
}

/// Whether a path leads to this open file, and not to another one or none.
pub(crate) fn is_file_at(file: &File, path: &Path) -> bool {
    let identity = |about: std::fs::Metadata| (about.dev(), about.ino());
    let here = file.metadata().map(identity).ok();
    here.is_some() && here == std::fs::metadata(path).map(identity).ok()
}

/// Bytes that a file can hold without allocating more disk space.
pub(crate) fn allocated_bytes(about: &std::fs::Metadata) -> u64 {
    // In a unit independent of the file system: see stat(3type).
    about.blocks() * 512
}

/// A file in memory without a path, which disappears when the last process that has it open ends.
/// On systems without memfd, an unlinked file in a directory.
pub(crate) fn unnamed_file(directory: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    if let Ok(file) = rustix::fs::memfd_create("bgpy", rustix::fs::MemfdFlags::CLOEXEC) {
        return Ok(file.into());
    }
    let path = directory.join(format!("{}.tasks", std::process::id()));
    // A leftover of a dead process, or a link that must not be followed.
    drop(std::fs::remove_file(&path));
    let file = private_file().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

/// Identifies a file, even after a rename: by device, inode and creation time, because inodes are
/// reused.
pub(crate) fn identity(file: &File) -> [u64; 3] {
    file.metadata().map_or([0; 3], |about| [about.dev(), about.ino(), super::born(&about)])
}

/// A name for this boot of this machine, as several machines may share a home directory.
pub(crate) fn machine() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let name = rustix::system::uname();
    format!("{} {}", name.nodename().to_string_lossy(), boot.trim())
}

/// Options to create a file that only this user may read.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Notifies the service manager, if there is one: see sd_notify(3).
pub(crate) fn notify(state: &str) {
    use std::os::unix::net::UnixDatagram;
    let Some(place) = std::env::var_os(super::NOTIFY_VARIABLE) else { return };
    let send = || -> io::Result<usize> {
        let socket = UnixDatagram::unbound()?;
        #[cfg(target_os = "linux")]
        if let Some(name) = place.as_encoded_bytes().strip_prefix(b"@") {
            use std::os::linux::net::SocketAddrExt;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            return socket.send_to_addr(state.as_bytes(), &address);
        }
        socket.send_to(state.as_bytes(), &place)
    };
    // A manager that does not listen needs no notification.
    drop(send());
}

/// Prepares a command whose process outlives this one. The process [detaches](detach) itself first
/// of all, which saves a fork of a large parent.
pub(crate) fn background(_command: &mut std::process::Command) {}

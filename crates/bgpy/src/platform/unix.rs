//! Unix, by way of rustix.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use rustix::process::{Resource, Rlimit};
use socket2::{SockAddr, Socket};

/// Connects to a Unix socket.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when the server's queue was full for so long.
pub(crate) fn connect_file(path: &Path, limit: Duration) -> io::Result<Socket> {
    let socket = Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.set_write_timeout(Some(limit))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket)
}

/// Starts to connect; whether it is done shows when the socket becomes writable.
pub(crate) fn connect_start(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    match socket.connect(address) {
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => Ok(()),
        result => result,
    }
}

/// Ends what [`connect_start`] began, after the socket became writable.
pub(crate) fn connect_finish(socket: &Socket) -> io::Result<()> {
    match socket.take_error()? {
        Some(error) => Err(error),
        None => socket.set_nonblocking(false),
    }
}

/// Writes what fits without waiting.
pub(crate) fn send_now(socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
}

/// Writes what fits of several slices without waiting.
pub(crate) fn send_slices_now(socket: &Socket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    Ok(rustix::net::sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags)?)
}

/// Reads what is there without waiting.
pub(crate) fn recv_now(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    let (bytes, _) = rustix::net::recv(socket, buffer, RecvFlags::DONTWAIT)?;
    Ok(bytes)
}

/// Reads to the end of a vector what is there without waiting, at most so many bytes, for which it
/// has room.
pub(crate) fn read_end(socket: impl AsFd, bytes: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    let length = bytes.len();
    let room = &mut bytes.spare_capacity_mut()[..most];
    let ((read, _), _) = rustix::net::recv(socket, room, RecvFlags::DONTWAIT)?;
    let read = read.len();
    // SAFETY: so many bytes behind the end were just written.
    unsafe { bytes.set_len(length + read) };
    Ok(read)
}

/// What a socket is ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// Waits until the socket is ready or the time is over.
///
/// # Errors
/// [`io::ErrorKind::Interrupted`] when a signal arrived.
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
    // An error or a hang-up is found out by the read or write that follows.
    let broken = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    let ready = fds[0].revents();
    Ok(Readiness {
        readable: readable && ready.intersects(PollFlags::IN | broken),
        writable: writable && ready.intersects(PollFlags::OUT | broken),
    })
}

/// Whether the process at the other end of a Unix socket belongs to this user.
pub(crate) fn is_same_user(stream: &mio::net::UnixStream) -> bool {
    #[cfg(target_os = "linux")]
    {
        rustix::net::sockopt::socket_peercred(stream)
            .is_ok_and(|peer| peer.uid == rustix::process::geteuid())
    }
    #[cfg(not(target_os = "linux"))]
    {
        // The directory's mode 0700 keeps other users out.
        let _ = stream;
        true
    }
}

/// Has the allocator give free memory back, of which it keeps tens of megabytes after a large message.
pub(crate) fn trim_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it locks what it looks at, and touches nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Asks for huge pages for a large vector, all of it: where only a part of a mapping has them, the
/// system cannot make it grow in its place.
pub(crate) fn prefer_huge_pages(bytes: &mut Vec<u8>) {
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{Advice, madvise};
        let page = rustix::param::page_size();
        let start = bytes.as_mut_ptr();
        let before = start.addr() % page;
        let length = (before + bytes.capacity()).next_multiple_of(page);
        // SAFETY: what else may lie on the first and last page stays as it is, because the advice
        // changes no byte. A kernel without huge pages refuses, and gives small ones.
        let _ =
            unsafe { madvise(start.wrapping_sub(before).cast(), length, Advice::LinuxHugepage) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = bytes;
}

/// Lets this process open as many descriptors as it may.
pub(crate) fn raise_descriptor_limit() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    // Failing leaves the limit as it was, and the cap on handshakes still holds.
    let _ = rustix::process::setrlimit(
        Resource::Nofile,
        Rlimit { current: limit.maximum, maximum: limit.maximum },
    );
}

/// Leaves the session, terminal and process group of the parent, and closes what it left open.
///
/// Rust and Python open descriptors close-on-exec, so one that survived the exec without that flag
/// is the parent's: a pipe that somebody may wait for.
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
    use rustix::io::{FdFlags, fcntl_getfd};
    // SAFETY: the descriptor is only asked for its flags, which fails cleanly when it is not open.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    if fcntl_getfd(borrowed).is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC)) {
        // SAFETY: nothing in this process opened it (see `detach`), so nothing else owns it.
        drop(unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
    }
}

/// Makes `file` the process's standard output and standard error.
pub(crate) fn redirect_output(file: &File) -> io::Result<()> {
    rustix::stdio::dup2_stdout(file)?;
    rustix::stdio::dup2_stderr(file)?;
    Ok(())
}

/// Takes what standard input and output are now, and puts nothing and the log in their place.
pub(crate) fn take_standard_streams() -> io::Result<(File, File)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok((input.into(), output.into()))
}

/// The user's own place for short-lived files, when the system has one.
pub(crate) fn runtime_directory() -> Option<PathBuf> {
    let from = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    from("XDG_RUNTIME_DIR")
        .map(|path| path.join("bgpy"))
        .or_else(|| from("XDG_CACHE_HOME").map(|path| path.join("bgpy/run")))
        .or_else(|| from("HOME").map(|path| path.join(".cache/bgpy/run")))
}

/// Creates a directory that only this user may enter, or confirms that it is one.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    check_private(path)
}

/// Confirms that only this user may enter a directory.
pub(crate) fn check_private(path: &Path) -> io::Result<()> {
    let about = std::fs::metadata(path)?;
    let denied = |text| Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    if about.uid() != rustix::process::geteuid().as_raw() {
        return denied("another user owns it");
    }
    if about.mode() & 0o077 != 0 {
        return denied("other users may enter it (chmod 700 it)");
    }
    Ok(())
}

/// Whether a path leads to this open file, and not to another one or to none.
pub(crate) fn is_file_at(file: &File, path: &Path) -> bool {
    let identity = |about: std::fs::Metadata| (about.dev(), about.ino());
    let here = file.metadata().map(identity).ok();
    here.is_some() && here == std::fs::metadata(path).map(identity).ok()
}

/// What tells a file from all others, also after it was renamed: its device and number, and when it
/// began, because numbers are used again.
pub(crate) fn identity(file: &File) -> [u64; 3] {
    file.metadata().map_or([0; 3], |about| [about.dev(), about.ino(), super::born(&about)])
}

/// When a process began, in a unit of the system's own; `None` when there is no such process.
#[cfg(target_os = "linux")]
pub(crate) fn process_start(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in brackets, may hold anything. Behind it: state, and so on; the
    // start is field 22 of all (see proc_pid_stat(5)).
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let is_dead = match fields.next()? {
        // Its first thread has ended. The others, which are about to, may have its sockets still.
        "Z" => std::fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|all| all.count() <= 1),
        state => state == "X",
    };
    fields.nth(18)?.parse().ok().filter(|_| !is_dead)
}

/// When a process began, in a unit of the system's own; `None` when there is no such process. Here,
/// the one and the other with the same id cannot be told apart.
#[cfg(not(target_os = "linux"))]
pub(crate) fn process_start(pid: u32) -> Option<u64> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    let there = match rustix::process::test_kill_process(pid) {
        Ok(()) | Err(Errno::PERM) => true,
        Err(_) => false,
    };
    there.then_some(0)
}

/// A process that may be another user's child, and that began at a known time.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Process(std::os::fd::OwnedFd);

#[cfg(target_os = "linux")]
impl Process {
    /// `None` when there is no such process any more.
    pub(crate) fn open(pid: u32, start: Option<u64>) -> io::Result<Option<Self>> {
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let process = match pidfd_open(id.ok_or(Errno::INVAL)?, PidfdFlags::empty()) {
            Err(Errno::SRCH) => return Ok(None),
            opened => opened?,
        };
        // From here on the id cannot be given to another process.
        let found = process_start(pid);
        let is_same = found.is_some() && (start.is_none() || start == found);
        Ok(is_same.then_some(Self(process)))
    }

    /// Ends it, whatever it does.
    pub(crate) fn kill(&self) -> io::Result<()> {
        Ok(rustix::process::pidfd_send_signal(&self.0, rustix::process::Signal::KILL)?)
    }

    /// Whether it ends in that time.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        let limit = Timespec::try_from(limit).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        poll(&mut fds, Some(&limit)).is_ok_and(|ready| ready > 0)
    }
}

/// A process that may be another user's child. Here it is known by its id alone.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct Process(u32);

#[cfg(not(target_os = "linux"))]
impl Process {
    /// `None` when there is no such process any more.
    pub(crate) fn open(pid: u32, _start: Option<u64>) -> io::Result<Option<Self>> {
        Ok(process_start(pid).map(|_| Self(pid)))
    }

    /// Ends it, whatever it does.
    pub(crate) fn kill(&self) -> io::Result<()> {
        use rustix::process::{Pid, Signal, kill_process};
        let id = i32::try_from(self.0).ok().and_then(Pid::from_raw).ok_or(Errno::INVAL)?;
        Ok(kill_process(id, Signal::KILL)?)
    }

    /// Whether it ends in that time.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let until = std::time::Instant::now() + limit;
        while process_start(self.0).is_some() {
            if std::time::Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

/// Bytes of memory that a process has resident, if it is this user's to know.
#[cfg(target_os = "linux")]
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Bytes of memory that a process has resident: not known here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn resident_bytes(_pid: u32) -> Option<u64> {
    None
}

/// A name for this machine since its last start, as several may share a home directory.
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

/// A number that differs between a process and its forked children. Asking for the process id
/// instead would cost each call of a client a system call.
pub(crate) fn fork_generation() -> u32 {
    static GENERATION: AtomicU32 = AtomicU32::new(0);
    static WATCH: Once = Once::new();
    extern "C" fn in_child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
    WATCH.call_once(|| {
        // SAFETY: the handler only touches an atomic, which is allowed in a forked child.
        let failed = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        assert_eq!(failed, 0, "there is memory for one fork handler");
    });
    GENERATION.load(Ordering::Relaxed)
}

/// Ends this process at once, whatever its threads are doing.
pub(crate) fn end_now() {
    // The signal cannot fail to be sent to oneself.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

/// Tells a service manager how it goes, if one wants to know: see sd_notify(3).
pub(crate) fn notify(state: &str) {
    use std::os::unix::net::UnixDatagram;
    let Some(place) = std::env::var_os("NOTIFY_SOCKET") else { return };
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
    // A manager that does not listen does not want to know.
    drop(send());
}

/// The signal that ended a process.
pub(crate) fn signal_of(status: std::process::ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// Prepares a command whose process outlives this one. The process itself [detaches](detach) as its
/// first act, which spares a fork of a large parent here.
pub(crate) fn background(_command: &mut std::process::Command) {}

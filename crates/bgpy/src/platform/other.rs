//! Windows, with what the standard library and socket2 offer. Not run so far.
//!
//! There are no Unix sockets, so every client connects over TCP. A blocked socket call cannot be
//! interrupted, so waits end at the socket's timeouts instead.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, IoSlice};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use socket2::{SockAddr, Socket};

use super::{ForkHooks, ForkLock, ProcessId};

/// How long a write may block before its caller checks for other events.
const WRITE_SLICE: Duration = Duration::from_millis(50);

pub(crate) fn connect_file(_path: &Path, _limit: Duration) -> io::Result<Socket> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "no Unix sockets here"))
}

pub(crate) fn peer_process(_socket: &Socket) -> Option<u32> {
    None
}

pub(crate) fn connect_start(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    socket.connect_timeout(address, Duration::from_secs(10))?;
    socket.set_write_timeout(Some(WRITE_SLICE))
}

pub(crate) fn connect_finish(_socket: &Socket) -> io::Result<()> {
    Ok(())
}

pub(crate) fn send_now(socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    socket.send(bytes)
}

pub(crate) fn send_slices_now(socket: &Socket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    socket.send_vectored(slices)
}

/// Reads nothing: making a socket non-blocking for reads would make it non-blocking for writes too.
pub(crate) fn recv_now(_socket: &Socket, _buffer: &mut [u8]) -> io::Result<usize> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// Never called: only data from a Unix socket is read directly into its buffer.
pub(crate) fn read_end<S>(_socket: S, _bytes: &mut Vec<u8>, _most: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

pub(crate) fn wait(
    socket: &Socket,
    readable: bool,
    writable: bool,
    limit: Duration,
) -> io::Result<Readiness> {
    if writable {
        // The write itself waits for a slice of time.
        return Ok(Readiness { readable, writable });
    }
    let before = socket.read_timeout()?;
    socket.set_read_timeout(Some(limit.max(Duration::from_millis(1))))?;
    let peeked = socket.peek(&mut [std::mem::MaybeUninit::uninit()]);
    socket.set_read_timeout(before)?;
    let waiting = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
    };
    Ok(Readiness { readable: !peeked.as_ref().is_err_and(waiting), writable: false })
}

pub(crate) fn trim_heap() {}

/// Windows itself gives a connection up after five unacknowledged transmissions, about 20 seconds.
pub(crate) fn hasten_delivery<S>(_socket: &S) {}

pub(crate) fn waiting_connections<S>(_listener: &S) -> usize {
    0
}

pub(crate) fn delivery<S>(_socket: &S) -> io::Result<Option<super::Delivery>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn is_file_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// Identifies a file, even after a rename: by its creation time.
pub(crate) fn identity(file: &File) -> [u64; 3] {
    file.metadata().map_or([0; 3], |about| [0, 0, super::born(&about)])
}

/// Nothing is known about other processes: none is proven to exist or to be gone.
pub(crate) fn process_start(_pid: u32) -> io::Result<Option<u64>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn process_namespace() -> Option<String> {
    None
}

/// Nothing is known about other processes.
#[derive(Debug)]
pub(crate) struct Process;

impl Process {
    pub(crate) fn open(_process: &ProcessId) -> io::Result<Option<Self>> {
        Ok(Some(Self))
    }

    pub(crate) fn kill(&self) -> io::Result<()> {
        let text = "not on this system: end it in the task manager";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    pub(crate) fn terminate(&self) -> io::Result<()> {
        self.kill()
    }

    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        std::thread::sleep(limit);
        false
    }
}

pub(crate) fn notify(_state: &str) {}

pub(crate) fn signal_of(_status: std::process::ExitStatus) -> Option<i32> {
    None
}

pub(crate) fn keep_children() {}

pub(crate) fn status_of(
    code: Option<i32>,
    _signal: Option<i32>,
) -> Option<std::process::ExitStatus> {
    code.map(|code| std::os::windows::process::ExitStatusExt::from_raw(code as u32))
}

pub(crate) fn resident_bytes(_pid: u32) -> Option<u64> {
    None
}

pub(crate) fn prefer_huge_pages(_bytes: &mut Vec<u8>) {}

pub(crate) fn raise_descriptor_limit() {}

pub(crate) fn detach() -> io::Result<()> {
    Ok(())
}

pub(crate) fn address_bytes_max() -> Option<usize> {
    None
}

pub(crate) fn stderr_is_file() -> bool {
    false
}

pub(crate) fn write_stdout(bytes: &[u8]) -> io::Result<usize> {
    use std::io::Write;
    io::stdout().write(bytes)
}

pub(crate) fn write_stderr(bytes: &[u8]) -> io::Result<usize> {
    use std::io::Write;
    io::stderr().write(bytes)
}

pub(crate) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

pub(crate) fn redirect_output(_file: &File) -> io::Result<()> {
    Ok(())
}

pub(crate) fn take_input() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(io::stdin().as_handle().try_clone_to_owned()?.into())
}

pub(crate) fn take_output() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(io::stdout().as_handle().try_clone_to_owned()?.into())
}

pub(crate) fn kill_group(child: &mut std::process::Child) {
    drop(child.kill());
}

pub(crate) fn end_like(status: std::process::ExitStatus) -> ! {
    std::process::exit(status.code().unwrap_or(1))
}

pub(crate) fn runtime_directory() -> Option<PathBuf> {
    std::env::var_os("LOCALAPPDATA").map(|path| PathBuf::from(path).join("bgpy\\run"))
}

/// The place has always been the same.
pub(crate) fn former_directories() -> Vec<PathBuf> {
    Vec::new()
}

pub(crate) fn ends_with_login(_directory: &Path) -> bool {
    false
}

pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    // The user's profile is already closed to other users.
    std::fs::create_dir_all(path)
}

pub(crate) fn check_private(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Tells what is at a path from anything put there later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    is_file: bool,
    length: u64,
    changed_ns: u64,
}

impl Stamp {
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        path.symlink_metadata().map(|about| Self::of(&about))
    }

    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
        file.metadata().map(|about| Self::of(&about))
    }

    /// For whatever is at a path, if anything is.
    pub(crate) fn of_any(path: &Path) -> io::Result<Option<Self>> {
        match Self::at(path) {
            Ok(stamp) => Ok(Some(stamp)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn of(about: &Metadata) -> Self {
        let changed = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let changed_ns = changed.map_or(0, |since| since.as_nanos() as u64);
        Self { is_file: about.is_file(), length: about.len(), changed_ns }
    }

    /// The user's profile is already closed to other users.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.is_file == other.is_file
    }
}

pub(crate) fn read_own(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let about = path.symlink_metadata()?;
    if !about.is_file() || about.len() > bytes_max {
        return Err(io::Error::other(format!("it is {} of {} bytes", kind(&about), about.len())));
    }
    std::fs::read(path)
}

/// No file is overwritten: [`allocated_bytes`] reports no room.
pub(crate) fn open_private(_path: &Path, _bytes_max: u64) -> io::Result<(File, Vec<u8>)> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn write_over(_file: &File, _bytes: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).open(path)
}

pub(crate) fn is_socket(_path: &Path) -> bool {
    false
}

pub(crate) fn kind(about: &Metadata) -> &'static str {
    if about.is_dir() {
        "a directory"
    } else if about.is_file() {
        "a file"
    } else {
        "a link"
    }
}

pub(crate) fn is_file_itself_at(file: &File, path: &Path) -> bool {
    is_file_at(file, path)
}

pub(crate) fn machine() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// Not known.
pub(crate) fn allocated_bytes(_about: &std::fs::Metadata) -> u64 {
    0
}

/// Never called: there is no supervisor to keep it.
pub(crate) fn unnamed_file(_directory: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn private_file() -> OpenOptions {
    OpenOptions::new()
}

pub(crate) fn fork_generation() -> u32 {
    0
}

/// The owner of a descriptor that no forked child may have. This system has no forks.
#[derive(Debug)]
pub(crate) struct Private<T>(T);

impl<T> Private<T> {
    pub(crate) fn open<E>(open: impl FnOnce() -> Result<T, E>) -> Result<Self, E> {
        open().map(Self)
    }

    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    pub(crate) fn into_inner(self) -> T {
        self.0
    }

    pub(crate) fn is_intact(&self) -> bool {
        true
    }
}

impl<T> Deref for Private<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Private<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

pub(crate) fn end_now() {
    std::process::exit(1);
}

pub(crate) fn block_signals() {}

pub(crate) fn unblock_signals() {}

pub(crate) fn exit_now(code: i32) -> ! {
    std::process::exit(code)
}

/// Descriptors are checked only on Unix.
pub(crate) fn number<T>(_descriptor: &T) -> i32 {
    -1
}

pub(crate) fn is_descriptor_lost(_error: &io::Error) -> bool {
    false
}

/// `ERROR_TOO_MANY_OPEN_FILES`, `ERROR_NOT_ENOUGH_MEMORY`, `WSAEMFILE` and `WSAENOBUFS`.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::OutOfMemory
        || error.raw_os_error().is_some_and(|code| [4, 8, 10024, 10055].contains(&code))
}

pub(crate) fn descriptors_used_up(_pid: u32) -> Option<u64> {
    None
}

pub(crate) fn descriptor_limit(_error: &io::Error) -> Option<u64> {
    None
}

pub(crate) fn descriptors_max() -> Option<u64> {
    None
}

/// There are no forks.
pub(crate) fn at_fork(_lock: ForkLock, _hooks: &'static ForkHooks) {}

pub(crate) fn is_called<T>(_listener: &T) -> bool {
    true
}

/// A process has as many handles as it needs.
pub(crate) type Placeholder = File;

pub(crate) fn placeholder() -> io::Result<Placeholder> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A server's descriptors cannot be closed by their numbers, so no thread has to be woken from a
/// wait for one.
#[derive(Debug)]
pub(crate) struct Sleeper;

impl Sleeper {
    pub(crate) fn here() -> Self {
        Self
    }

    pub(crate) fn interrupt(&self) {}
}

pub(crate) fn check_poller(_poller: i32, _watched: i32) -> io::Result<()> {
    Ok(())
}

pub(crate) fn write(mut output: impl io::Write, bytes: &[u8]) -> io::Result<usize> {
    output.write(bytes)
}

pub(crate) fn write_all(mut output: impl io::Write, bytes: &[u8]) -> io::Result<()> {
    output.write_all(bytes)
}

pub(crate) fn background(command: &mut std::process::Command) {
    use std::os::windows::process::CommandExt;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    command.creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW);
}

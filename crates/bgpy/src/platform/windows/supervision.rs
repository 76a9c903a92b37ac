//! A server's process as its supervisor starts it, tells it to end, and waits for it.

use std::fs::File;
use std::io::{self, PipeWriter};
use std::net::{TcpListener, TcpStream};
use std::os::windows::io::{
    AsHandle, AsRawHandle, AsRawSocket, BorrowedHandle, FromRawHandle, FromRawSocket, OwnedHandle,
    OwnedSocket,
};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation, WAIT_OBJECT_0,
};
use windows_sys::Win32::Networking::WinSock::{
    FD_CLOSE, FD_READ, SOCKET, WSADATA, WSAEVENT, WSAEnumNetworkEvents, WSAEventSelect,
    WSANETWORKEVENTS, WSAStartup,
};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::Win32::System::Threading::{
    CREATE_NO_WINDOW, CreateEventW, INFINITE, ResetEvent, SetEvent, WaitForMultipleObjects,
    WaitForSingleObject,
};

use super::background::{StartedProcess, start};
use super::descriptor::AsRawFd;
use super::handle::{check, owned};
use super::{stop_event, unix_socket, wake_up};
use crate::platform::ProcessId;

/// The version of the functions for sockets: 2.2.
const VERSION: u16 = 0x0202;

/// There are no forks: a supervisor starts the server as another process.
pub(crate) const FORKS: bool = false;

/// What a server reports to its supervisor by; either end.
pub(crate) type SupervisorLine = TcpStream;

/// Both ends.
pub(crate) fn supervisor_line() -> io::Result<(SupervisorLine, SupervisorLine)> {
    wake_up::pair()
}

/// A server's process, a child of this one.
#[derive(Debug)]
pub(crate) struct ServerProcess(StartedProcess);

impl ServerProcess {
    /// Never called.
    pub(crate) fn forked(_id: u32) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Starts a command, which inherits what was [handed on](super::hand_on) and nothing else, with
    /// its output in a log, or in the console of this process. Returns its standard input as well.
    pub(crate) fn start(
        command: &mut Command,
        log: Option<&File>,
        handed_on: &[i32],
    ) -> io::Result<(Self, PipeWriter)> {
        let (input, stdin) = io::pipe()?;
        let (own_output, own_error) = (io::stdout(), io::stderr());
        let (streams, flags) = match log {
            Some(log) => ([input.as_handle(), log.as_handle(), log.as_handle()], CREATE_NO_WINDOW),
            None => ([input.as_handle(), own_output.as_handle(), own_error.as_handle()], 0),
        };
        // SAFETY: they belong to what was handed on, which outlives the call.
        let others: Vec<_> = handed_on
            .iter()
            .map(|number| unsafe { BorrowedHandle::borrow_raw(*number as usize as HANDLE) })
            .collect();
        Ok((Self(start(command, streams, &others, flags)?), stdin))
    }

    /// Its exit status, if it has ended.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        // SAFETY: the handle is open and permits waiting.
        let state = unsafe { WaitForSingleObject(self.0.as_handle().as_raw_handle(), 0) };
        (state == WAIT_OBJECT_0).then(|| self.0.exit_status().ok())?
    }

    /// Passes on that it is to end.
    pub(crate) fn tell(&self, _request: StopRequest) {
        let pid = self.0.id();
        if let Ok(start @ Some(_)) = super::process_start(pid) {
            // A server that does not listen has not started yet, or is ending.
            drop(stop_event::signal(&ProcessId { pid, start, ..ProcessId::own() }));
        }
    }
}

/// What tells a supervisor to end: its event, and Ctrl-C or Ctrl-Break in its console.
#[derive(Debug)]
pub(crate) struct StopRequests {
    event: OwnedHandle,
    console: &'static OwnedHandle,
    /// Set when there is something to read.
    reading: OwnedHandle,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StopRequest {
    is_from_console: bool,
}

/// Set by Ctrl-C and Ctrl-Break, of which the system tells on a thread of its own.
static CONSOLE: OnceLock<OwnedHandle> = OnceLock::new();

impl StopRequests {
    pub(crate) fn new() -> io::Result<Self> {
        let made = event()?;
        let console = CONSOLE.get_or_init(|| made);
        // SAFETY: the function may be called at any time, on any thread.
        check(unsafe { SetConsoleCtrlHandler(Some(note), 1) })?;
        Ok(Self { event: stop_event::own()?, console, reading: event()? })
    }

    /// Those that have come since the last call.
    pub(crate) fn take(&mut self) -> Vec<StopRequest> {
        let all = [(&self.event, false), (self.console, true)];
        let come = all.into_iter().filter(|(event, _)| {
            let event = event.as_raw_handle();
            // SAFETY: the handle is open and permits both.
            unsafe { WaitForSingleObject(event, 0) == WAIT_OBJECT_0 && ResetEvent(event) != 0 }
        });
        come.map(|(_, is_from_console)| StopRequest { is_from_console }).collect()
    }

    /// Waits until one comes, the process ends, there is something to read, or the time is over.
    pub(crate) fn wait(
        &self,
        process: Option<&ServerProcess>,
        line: Option<&SupervisorLine>,
        limit: Option<Duration>,
    ) {
        let mut all = vec![self.event.as_raw_handle(), self.console.as_raw_handle()];
        all.extend(process.map(|process| process.0.as_handle().as_raw_handle()));
        if let Some(line) = line {
            let (socket, event) = (line.as_raw_socket() as SOCKET, self.reading.as_raw_handle());
            let wanted = (FD_READ | FD_CLOSE) as i32;
            // SAFETY: socket and event are open, and the result outlives the call.
            unsafe {
                WSAEnumNetworkEvents(socket, event as WSAEVENT, &mut WSANETWORKEVENTS::default());
                WSAEventSelect(socket, event as WSAEVENT, wanted);
            }
            all.push(event);
        }
        let limit_ms = limit.map_or(INFINITE, |limit| {
            // Rounded up, so that the time is over when it returns.
            u32::try_from(limit.as_millis() + 1).unwrap_or(INFINITE)
        });
        // SAFETY: all handles are open, and permit waiting.
        unsafe { WaitForMultipleObjects(all.len() as u32, all.as_ptr(), 0, limit_ms) };
    }
}

impl StopRequest {
    /// Whether it comes from the console, which tells the server as well.
    pub(crate) fn is_for_all(self) -> bool {
        self.is_from_console
    }
}

/// Calls `act` on a thread of its own when this process is told to end.
pub(crate) fn on_stop_request(act: impl FnOnce() + Send + 'static) {
    let Ok(event) = stop_event::own() else { return };
    let wait = move || {
        // SAFETY: the handle is open and permits waiting.
        if unsafe { WaitForSingleObject(event.as_raw_handle(), INFINITE) } == WAIT_OBJECT_0 {
            act();
        }
    };
    // Without the thread, the process can still be ended in all other ways.
    drop(thread::Builder::new().name("bgpy-stop".into()).stack_size(128 << 10).spawn(wait));
}

fn event() -> io::Result<OwnedHandle> {
    // SAFETY: it has no name, and the default security.
    owned(unsafe { CreateEventW(std::ptr::null(), 1, 0, std::ptr::null()) })
}

unsafe extern "system" fn note(kind: u32) -> i32 {
    let is_it = kind == CTRL_C_EVENT || kind == CTRL_BREAK_EVENT;
    if let Some(event) = CONSOLE.get().filter(|_| is_it) {
        // SAFETY: the handle is never closed.
        unsafe { SetEvent(event.as_raw_handle()) };
    }
    i32::from(is_it)
}

/// Makes a handle inheritable by a program that this process starts, and returns its number.
pub(crate) fn hand_on(handle: &impl AsRawFd) -> io::Result<i32> {
    let number = handle.as_raw_fd();
    let raw = number as usize as HANDLE;
    // SAFETY: only a flag of the handle is changed.
    check(unsafe { SetHandleInformation(raw, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) })?;
    Ok(number)
}

/// Takes ownership of an inherited handle.
pub(crate) fn take_inherited(number: i32) -> io::Result<OwnedHandle> {
    let raw = number as usize as HANDLE;
    // SAFETY: only a flag of the handle is changed, which fails if there is no such handle.
    check(unsafe { SetHandleInformation(raw, HANDLE_FLAG_INHERIT, 0) })?;
    // SAFETY: its starter has handed it on to this process, which has taken it nowhere else.
    Ok(unsafe { OwnedHandle::from_raw_handle(raw) })
}

fn take_socket(number: i32) -> io::Result<OwnedSocket> {
    // The standard library prepares the use of sockets when it opens the first one itself.
    // SAFETY: the result outlives the call, which a process may make as often as it wants.
    let failed = unsafe { WSAStartup(VERSION, &mut WSADATA::default()) };
    if failed != 0 {
        return Err(io::Error::from_raw_os_error(failed));
    }
    let raw = number as usize as HANDLE;
    // SAFETY: as above.
    check(unsafe { SetHandleInformation(raw, HANDLE_FLAG_INHERIT, 0) })?;
    // SAFETY: as above; it is a socket there as well.
    let inherited = unsafe { OwnedSocket::from_raw_socket(number as u64) };
    // A library of the system may know only sockets that this process has opened: that of Wine 8
    // sends nothing by others.
    inherited.try_clone()
}

/// Takes over the line to the supervisor that has started this process.
pub(crate) fn inherited_line(number: i32) -> io::Result<SupervisorLine> {
    let line = SupervisorLine::from(take_socket(number)?);
    // Both ends were made so.
    line.set_nonblocking(false)?;
    Ok(line)
}

/// Takes over a file.
pub(crate) fn inherited_file(number: i32) -> io::Result<File> {
    Ok(take_inherited(number)?.into())
}

/// Takes over a listener of TCP.
pub(crate) fn inherited_listener(number: i32) -> io::Result<TcpListener> {
    Ok(take_socket(number)?.into())
}

/// Never called.
pub(crate) fn inherited_unix(_number: i32) -> io::Result<unix_socket::Listener> {
    Err(io::ErrorKind::Unsupported.into())
}

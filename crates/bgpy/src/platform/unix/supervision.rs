//! A server's process as its supervisor starts it, tells it to end, and waits for it.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use super::descriptor::take_inherited;
use super::unix_socket;

/// Whether a process can become two: the server and its supervisor.
pub(crate) const FORKS: bool = true;

/// What a server reports to its supervisor by; either end.
pub(crate) type SupervisorLine = UnixStream;

/// Both ends.
pub(crate) fn supervisor_line() -> io::Result<(SupervisorLine, SupervisorLine)> {
    UnixStream::pair()
}

/// The wait status of a process whose real one is unknown: exit code 1.
const UNKNOWN: i32 = 1 << 8;

/// A server's process, a child of this one.
#[derive(Debug)]
pub(crate) struct ServerProcess(Pid);

impl ServerProcess {
    /// A forked copy of this process.
    pub(crate) fn forked(id: u32) -> io::Result<Self> {
        let id = i32::try_from(id).ok().and_then(Pid::from_raw);
        Ok(Self(id.ok_or(io::ErrorKind::InvalidInput)?))
    }

    /// Starts a command, which inherits what was [handed on](super::hand_on), with its output in a
    /// log or where that of this process goes. Returns its standard input as well.
    pub(crate) fn start(
        command: &mut Command,
        log: Option<&File>,
        _handed_on: &[i32],
    ) -> io::Result<(Self, ChildStdin)> {
        command.stdin(Stdio::piped());
        if let Some(log) = log {
            command.stdout(log.try_clone()?).stderr(log.try_clone()?);
        }
        let mut child = command.spawn()?;
        let input = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok((Self::forked(child.id())?, input))
    }

    /// Its exit status, if it has ended.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        match waitpid(Some(self.0), WaitOptions::NOHANG) {
            Ok(waited) => waited.map(|(_, status)| ExitStatus::from_raw(status.as_raw())),
            // If SIGCHLD is inherited as ignored, the system reaps the child itself.
            Err(_) => Some(ExitStatus::from_raw(UNKNOWN)),
        }
    }

    /// Passes on that it is to end.
    pub(crate) fn tell(&self, request: StopRequest) {
        // The child is not reaped yet, so the id still belongs to it.
        if let Some(signal) = Signal::from_named_raw(request.0) {
            let _ = kill_process(self.0, signal);
        }
    }
}

/// The signals that tell a supervisor to end.
#[derive(Debug)]
pub(crate) struct StopRequests(SignalDelivery<UnixStream, SignalOnly>);

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StopRequest(i32);

impl StopRequests {
    pub(crate) fn new() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        let wanted = [SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT];
        Ok(Self(SignalDelivery::with_pipe(read, write, SignalOnly, wanted)?))
    }

    /// Those that have come since the last call.
    pub(crate) fn take(&mut self) -> Vec<StopRequest> {
        self.0.pending().filter(|signal| *signal != SIGCHLD).map(StopRequest).collect()
    }

    /// Waits until one comes, a child ends, there is something to read, or the time is over.
    pub(crate) fn wait(
        &self,
        _process: Option<&ServerProcess>,
        line: Option<&SupervisorLine>,
        limit: Option<Duration>,
    ) {
        let fds = [Some(self.0.get_read()), line].into_iter().flatten();
        let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        // Rounded up, so that the time is over when `poll` returns.
        let limit =
            limit.and_then(|limit| Timespec::try_from(limit + Duration::from_micros(1)).ok());
        // `poll` fails only when interrupted by a signal, which the caller checks anyway.
        let _ = poll(&mut fds, limit.as_ref());
    }
}

impl StopRequest {
    /// Whether it may come from the terminal, which sends it to the server as well.
    pub(crate) fn is_for_all(self) -> bool {
        self.0 != SIGTERM
    }
}

/// Does nothing: a process is told to end by signals.
pub(crate) fn on_stop_request(_act: impl FnOnce() + Send + 'static) {}

/// Takes over the line to the supervisor that has started this process.
pub(crate) fn inherited_line(number: i32) -> io::Result<SupervisorLine> {
    Ok(take_inherited(number)?.into())
}

/// Takes over a file.
pub(crate) fn inherited_file(number: i32) -> io::Result<File> {
    Ok(take_inherited(number)?.into())
}

/// Takes over a listener of TCP.
pub(crate) fn inherited_listener(number: i32) -> io::Result<TcpListener> {
    Ok(take_inherited(number)?.into())
}

/// Takes over a listener on a Unix socket.
pub(crate) fn inherited_unix(number: i32) -> io::Result<unix_socket::Listener> {
    Ok(take_inherited(number)?.into())
}

//! The terminal: its width, whether it is still there, and input without echo.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::exit_now;

/// The exit code that a shell reports for SIGHUP.
const HUNG_UP: u8 = 129;

/// The byte that Ctrl-C sends.
const INTERRUPT: u8 = 3;

/// The number of columns, if the stream is a terminal.
pub(crate) fn columns(stream: &impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(size.ws_col.into())
}

/// Whether standard output is a pipe, or a socket, to another program.
pub(crate) fn is_piped() -> bool {
    let about = rustix::fs::fstat(io::stdout());
    about.is_ok_and(|about| {
        let kind = FileType::from_raw_mode(about.st_mode);
        matches!(kind, FileType::Fifo | FileType::Socket)
    })
}

/// Whether standard output has lost its reader: its terminal, or the other end of the pipe, was closed.
pub(crate) fn is_gone() -> bool {
    has_lost_reader(&io::stdout(), Some(Duration::ZERO))
}

/// Ends this process as soon as its terminal is closed, even if SIGHUP is ignored: nobody can see its output
/// any more. A process that does not write to a terminal is not affected.
pub(crate) fn end_with_it() {
    // Without exit handlers: other threads may be in the middle of something.
    watch(|| exit_now(HUNG_UP.into()));
}

/// Ends this process, a server, in an orderly way when its terminal is closed. Under nohup it keeps running,
/// because clients can still reach it.
pub(crate) fn terminate_with_it() {
    if !ignores_hang_up() {
        watch(terminate);
    }
}

/// The final exit code, which is that of SIGHUP if the terminal was closed.
pub(crate) fn code(code: u8) -> u8 {
    if has_hung_up() { HUNG_UP } else { code }
}

/// Prints `prompt` and reads a line without echo.
pub(crate) fn read_hidden(prompt: &str) -> io::Result<String> {
    let (input, output) = (Quiet::open()?, terminal()?);
    let config = rpassword::ConfigBuilder::new().input_reader(input).output_writer(output).build();
    rpassword::prompt_password_with_config(prompt, config)
}

/// The terminal with echo disabled until this is dropped.
///
/// rpassword disables echo as well, but lets Ctrl-C kill the process before it has restored the
/// terminal, which leaves the shell without echo. Here rpassword only edits the line, and Ctrl-C is an
/// error.
struct Quiet {
    terminal: File,
    before: Termios,
}

/// A duplicate of the watched terminal's descriptor, because tasks may close standard output.
static WATCHED: OnceLock<OwnedFd> = OnceLock::new();

/// Calls `act` when the terminal of standard output is closed. Does nothing if no thread can be started.
fn watch(act: fn()) {
    if !io::stdout().is_terminal() {
        return;
    }
    let Ok(terminal) = io::stdout().as_fd().try_clone_to_owned() else { return };
    let terminal = WATCHED.get_or_init(|| terminal);
    drop(thread::Builder::new().name("bgpy-terminal".into()).spawn(move || {
        block_signals();
        while !has_lost_reader(terminal, None) {}
        act();
    }));
}

/// Blocks all signals in this thread, so that other threads handle them.
fn block_signals() {
    // SAFETY: the set is initialized before it is read.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
}

/// Whether SIGHUP is ignored, as under nohup.
fn ignores_hang_up() -> bool {
    // SAFETY: no handler is changed, and the action is initialized before it is read.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGHUP, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Sends SIGTERM to this process, so that it ends in an orderly way.
fn terminate() {
    let own = rustix::process::getpid();
    let _ = rustix::process::kill_process(own, rustix::process::Signal::TERM);
}

fn has_hung_up() -> bool {
    WATCHED.get().is_some_and(|terminal| has_lost_reader(terminal, Some(Duration::ZERO)))
}

/// Whether the reader is gone, or goes within `limit`; without one it waits for that.
fn has_lost_reader(output: &impl AsFd, limit: Option<Duration>) -> bool {
    // No events are requested: poll reports a hang-up in any case.
    let mut fds = [PollFd::new(output, PollFlags::empty())];
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    poll(&mut fds, limit.as_ref()).is_ok() && fds[0].revents().intersects(gone)
}

fn terminal() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty")
}

impl Quiet {
    fn open() -> io::Result<Self> {
        let terminal = terminal()?;
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes -=
            LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(&terminal, OptionalActions::Now, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Read for Quiet {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.terminal.read(buffer)?;
        if buffer[..count].contains(&INTERRUPT) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(count)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // The newline was not echoed, either.
        drop(self.terminal.write_all(b"\n"));
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

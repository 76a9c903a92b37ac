//! The terminal: how wide it is, and what is typed there without being shown.

use std::io;
#[cfg(unix)]
use std::time::Duration;

/// What a shell gives for SIGHUP.
#[cfg(unix)]
const HUNG_UP: u8 = 129;

/// Characters of a line on the terminal that standard output is.
pub(crate) fn width() -> Option<usize> {
    #[cfg(unix)]
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    #[cfg(unix)]
    let columns = size.map(|size| usize::from(size.ws_col));
    #[cfg(not(unix))]
    let columns = None;
    columns.filter(|columns| *columns > 0)
}

/// Whether whoever reads standard output has gone: the terminal was closed, or the other end of the pipe.
pub(crate) fn is_gone() -> bool {
    #[cfg(unix)]
    return unix::is_gone_within(Some(Duration::ZERO));
    #[cfg(not(unix))]
    false
}

/// Ends this process as soon as the terminal is gone that it writes to, as SIGHUP does unless somebody has
/// chosen to ignore that: nobody can see any more what it does. One that writes elsewhere goes on.
pub(crate) fn end_with_it() {
    #[cfg(unix)]
    unix::watch(|| unix::leave(HUNG_UP));
}

/// Ends this process in good order when its terminal is gone, for one that is a server. Under nohup it goes on,
/// as others can still reach it.
pub(crate) fn terminate_with_it() {
    #[cfg(unix)]
    if !unix::ignores_hang_up() {
        unix::watch(unix::terminate);
    }
}

/// The exit code, also of one that has found out by itself that its terminal is gone.
pub(crate) fn code(code: u8) -> u8 {
    #[cfg(unix)]
    if unix::has_hung_up() {
        return HUNG_UP;
    }
    code
}

/// Shows `prompt` and reads a line, empty at the end of the input.
///
/// # Errors
/// [`io::ErrorKind::Interrupted`] for Ctrl-C, else what the operating system says.
pub(crate) fn read_hidden(prompt: &str) -> io::Result<String> {
    match read(prompt) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(String::new()),
        result => result,
    }
}

#[cfg(not(unix))]
fn read(prompt: &str) -> io::Result<String> {
    rpassword::prompt_password(prompt)
}

#[cfg(unix)]
fn read(prompt: &str) -> io::Result<String> {
    let (input, output) = (unix::Quiet::open()?, unix::terminal()?);
    let config = rpassword::ConfigBuilder::new().input_reader(input).output_writer(output).build();
    rpassword::prompt_password_with_config(prompt, config)
}

#[cfg(unix)]
mod unix {
    use std::fs::{File, OpenOptions};
    use std::io::{self, IsTerminal, Read, Write};
    use std::os::fd::{AsFd, OwnedFd};
    use std::sync::OnceLock;
    use std::thread;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    /// What Ctrl-C types.
    const INTERRUPT: u8 = 3;

    /// The terminal, showing nothing of what is typed until this is dropped.
    ///
    /// rpassword sets a terminal up likewise, but lets Ctrl-C kill the process before it has set the
    /// terminal back, which leaves a shell that shows nothing either. Hence rpassword only edits the
    /// line here, and Ctrl-C is an error.
    pub(super) struct Quiet {
        terminal: File,
        before: Termios,
    }

    /// The terminal that is watched: a handle of its own, as tasks may close standard output.
    static WATCHED: OnceLock<OwnedFd> = OnceLock::new();

    /// Acts when the terminal is gone that standard output is. Where the system has no thread for that, it is
    /// not noticed.
    pub(super) fn watch(act: fn()) {
        if !io::stdout().is_terminal() {
            return;
        }
        let Ok(terminal) = io::stdout().as_fd().try_clone_to_owned() else { return };
        let terminal = WATCHED.get_or_init(|| terminal);
        drop(thread::Builder::new().name("bgpy-terminal".into()).spawn(move || {
            block_signals();
            while !is_gone(terminal, None) {}
            act();
        }));
    }

    /// Leaves the signals of the process to its other threads.
    fn block_signals() {
        // SAFETY: the set is filled before it is read.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
        }
    }

    /// Ends the process at once: other threads may be in the middle of something.
    pub(super) fn leave(code: u8) {
        // SAFETY: it does not return, and runs nothing of this process.
        unsafe { libc::_exit(code.into()) }
    }

    /// Whether who has started this process wants it to outlive its terminal.
    pub(super) fn ignores_hang_up() -> bool {
        // SAFETY: nothing is changed, and the action is filled before it is read.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(libc::SIGHUP, std::ptr::null(), &raw mut action) == 0
                && action.sa_sigaction == libc::SIG_IGN
        }
    }

    /// Has the process end in good order.
    pub(super) fn terminate() {
        let own = rustix::process::getpid();
        let _ = rustix::process::kill_process(own, rustix::process::Signal::TERM);
    }

    pub(super) fn has_hung_up() -> bool {
        WATCHED.get().is_some_and(|terminal| is_gone(terminal, Some(Duration::ZERO)))
    }

    /// Whether the reader of standard output is gone, or goes within a time; none is for ever.
    pub(super) fn is_gone_within(limit: Option<Duration>) -> bool {
        is_gone(&io::stdout(), limit)
    }

    fn is_gone(output: &impl AsFd, limit: Option<Duration>) -> bool {
        // Nothing is asked for: an end is told in any case.
        let mut fds = [PollFd::new(output, PollFlags::empty())];
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        poll(&mut fds, limit.as_ref()).is_ok() && fds[0].revents().intersects(gone)
    }

    pub(super) fn terminal() -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open("/dev/tty")
    }

    impl Quiet {
        pub(super) fn open() -> io::Result<Self> {
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
            // The end of the line was not shown either.
            drop(self.terminal.write_all(b"\n"));
            let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
        }
    }
}

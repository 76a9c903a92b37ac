//! Processes: how this one starts, how it ends, and how its children do.

use std::io;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};

use super::descriptor::take_inherited;
use crate::platform::boot_id;

/// How a process ends that is killed: the exit code of systems without signals, and the signal.
pub(crate) const KILLED: (Option<i32>, Option<i32>) = (None, Some(libc::SIGKILL));

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
        drop(take_inherited(fd));
    }
    Ok(())
}

/// Nothing ties a process to its starter that has [detached](detach) itself.
pub(crate) fn why_tied_to_starter() -> Option<&'static str> {
    None
}

/// Kills this process at once, whatever its threads are doing.
pub(crate) fn end_now() {
    // Sending the signal to oneself cannot fail.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

/// Ends this process with an exit code at once: no exit hooks or destructors run.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: it ends the process.
    unsafe { libc::_exit(code) }
}

/// Makes the system keep the exit status of children until they are waited for. The starter of this
/// program may have ignored SIGCHLD, which is inherited.
pub(crate) fn keep_children() {
    // SAFETY: it reads the disposition, which writes only to the buffer, and sets one that runs no
    // code. Only an inherited disposition is changed.
    unsafe {
        let mut known: libc::sigaction = std::mem::zeroed();
        let asked = libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut known);
        if asked == 0 && known.sa_sigaction == libc::SIG_IGN {
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        }
    }
}

/// The signal that ended a process.
pub(crate) fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// Why a process ended that left no reason.
pub(crate) fn why_ended(status: ExitStatus) -> &'static str {
    match signal_of(status) {
        Some(libc::SIGKILL) => {
            "killed by another process, or by the system, as it does when memory runs out"
        }
        _ => "it left no error message",
    }
}

/// The name of a signal, if it has one.
pub(crate) fn signal_name(signal: i32) -> Option<&'static str> {
    signal_hook::low_level::signal_name(signal)
}

/// The exit status for a recorded code or signal.
pub(crate) fn status_of(code: Option<i32>, signal: Option<i32>) -> Option<ExitStatus> {
    // Packed as by wait(2).
    let packed = signal.or(code.map(|code| code << 8))?;
    Some(std::os::unix::process::ExitStatusExt::from_raw(packed))
}

/// Replaces this program by another one; returns only if that fails.
pub(crate) fn exec(mut command: Command) -> io::Error {
    std::os::unix::process::CommandExt::exec(&mut command)
}

/// Starts a process that the end of this one, and signals to its process group, leave alone.
pub(crate) fn set_apart(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// Ends this process with the exit code or signal of another one.
pub(crate) fn end_like(status: ExitStatus) -> ! {
    use signal_hook::low_level::{emulate_default_handler, raise};
    if let Some(signal) = signal_of(status) {
        // The other process has already dumped core.
        let _ = rustix::process::setrlimit(
            Resource::Core,
            Rlimit { current: Some(0), maximum: Some(0) },
        );
        // SIGKILL has no default handler to emulate.
        drop(emulate_default_handler(signal));
        drop(raise(signal));
    }
    std::process::exit(status.code().unwrap_or(1))
}

/// CPU time that this process has used, in all of its threads, if the system reports it.
pub(crate) fn cpu_time() -> Option<Duration> {
    // SAFETY: it consists of integers, for which zeros are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: it writes to the buffer only, which outlives the call.
    let asked = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    let time = |used: libc::timeval| {
        let seconds = Duration::from_secs(u64::try_from(used.tv_sec).ok()?);
        seconds.checked_add(Duration::from_micros(u64::try_from(used.tv_usec).ok()?))
    };
    (asked == 0)
        .then_some(usage)
        .and_then(|usage| time(usage.ru_utime)?.checked_add(time(usage.ru_stime)?))
}

/// The limit of this process's address space in bytes, if there is one.
pub(crate) fn address_bytes_max() -> Option<usize> {
    usize::try_from(rustix::process::getrlimit(Resource::As).current?).ok()
}

/// A name for this boot of this machine, as several machines may share a home directory.
pub(crate) fn machine() -> String {
    let name = rustix::system::uname();
    format!("{} {}", name.nodename().to_string_lossy(), boot_id().trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_cpu_time() {
        let before = cpu_time().unwrap();
        assert!(before < Duration::from_secs(1 << 20));
        // Other tests of this process may use some, too, so that only growth is certain.
        while cpu_time().unwrap() == before {
            std::hint::black_box((0..1000_u64).sum::<u64>());
        }
        assert!(cpu_time().unwrap() > before);
    }
}

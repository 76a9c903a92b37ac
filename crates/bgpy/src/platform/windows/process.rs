//! Processes: whether one exists, what it uses, and how it ends.

use std::ffi::OsString;
use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::os::windows::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_INVALID_PARAMETER, FILETIME, HANDLE, STATUS_ACCESS_VIOLATION, STATUS_CONTROL_C_EXIT,
    STATUS_STACK_BUFFER_OVERRUN, STATUS_STACK_OVERFLOW, WAIT_OBJECT_0,
};
use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{
    CREATE_NO_WINDOW, GetCurrentProcess, GetProcessTimes, INFINITE, OpenProcess,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, TerminateProcess,
    WaitForSingleObject,
};

use super::handle::{check, owned};
use super::stop_event;
use crate::platform::{Presence, ProcessId};

/// How a process ends that is killed: the exit code, and the signal of systems that have them.
pub(crate) const KILLED: (Option<i32>, Option<i32>) = (Some(KILLED_CODE as i32), None);

const KILLED_CODE: u32 = 1;

/// When a process was created, in units of 100 ns since 1601; `None` if it is proven that there is
/// no such process.
///
/// # Errors
/// If that is unknown, for example if another user's process has the id.
pub(crate) fn process_start(pid: u32) -> io::Result<Option<u64>> {
    let Some(process) = open(pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE)? else {
        return Ok(None);
    };
    // A process that has ended keeps its id as long as somebody has a handle.
    if has_ended_within(&process, 0) {
        Ok(None)
    } else {
        start_of(process.as_raw_handle()).map(Some)
    }
}

/// Ids are valid on the whole machine, and the time of creation tells one boot from another.
pub(crate) fn process_namespace() -> Option<String> {
    Some("windows".to_owned())
}

/// The environment of another process is not read here.
pub(crate) fn process_environment(_pid: u32) -> Option<Vec<(OsString, OsString)>> {
    None
}

/// A process, not necessarily a child of this one, identified by its start time. As long as it is
/// open its id is not reused.
#[derive(Debug)]
pub(crate) struct Process {
    handle: OwnedHandle,
    id: ProcessId,
}

impl Process {
    /// `None` if the process no longer exists.
    ///
    /// # Errors
    /// The system's error, or if the process is not proven to be the wanted one.
    pub(crate) fn open(wanted: &ProcessId) -> io::Result<Option<Self>> {
        if wanted.presence() == Presence::Gone {
            return Ok(None);
        }
        let access = PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE | PROCESS_TERMINATE;
        let opened = open(wanted.pid, access);
        match wanted.presence() {
            Presence::There => Ok(opened?.map(|handle| Self { handle, id: wanted.clone() })),
            Presence::Gone => Ok(None),
            Presence::Unknown => Err(wanted.unknown()),
        }
    }

    /// Kills it.
    pub(crate) fn kill(&self) -> io::Result<()> {
        // SAFETY: the handle is open and permits that.
        let killed = check(unsafe { TerminateProcess(self.handle.as_raw_handle(), KILLED_CODE) });
        // It may have ended by itself.
        killed.or_else(|error| if self.ends_within(Duration::ZERO) { Ok(()) } else { Err(error) })
    }

    /// Tells a supervisor to end, which listens for that.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        stop_event::signal(&self.id)
    }

    /// Whether it ends within `limit`.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        // One less is the sign for no limit.
        let limit_ms = u32::try_from(limit.as_millis()).unwrap_or(INFINITE).min(INFINITE - 1);
        has_ended_within(&self.handle, limit_ms)
    }
}

fn open(pid: u32, access: u32) -> io::Result<Option<OwnedHandle>> {
    // SAFETY: it takes no pointers.
    match owned(unsafe { OpenProcess(access, 0, pid) }) {
        Err(error) if error.raw_os_error() == Some(ERROR_INVALID_PARAMETER as i32) => Ok(None),
        opened => opened.map(Some),
    }
}

fn has_ended_within(process: &OwnedHandle, limit_ms: u32) -> bool {
    // SAFETY: the handle is open and permits waiting.
    unsafe { WaitForSingleObject(process.as_raw_handle(), limit_ms) == WAIT_OBJECT_0 }
}

fn start_of(process: HANDLE) -> io::Result<u64> {
    times(process).map(|[created, ..]| created)
}

/// Creation, end, time in the kernel and time outside it, in units of 100 ns.
fn times(process: HANDLE) -> io::Result<[u64; 4]> {
    let mut times = [FILETIME::default(); 4];
    let [created, ended, kernel, user] = &mut times;
    // SAFETY: the handle is open, and the four buffers outlive the call.
    check(unsafe { GetProcessTimes(process, created, ended, kernel, user) })?;
    Ok(times.map(|time| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime)))
}

/// Memory of a process that is in use, in bytes, if this user may know it.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let process = open(pid, PROCESS_QUERY_LIMITED_INFORMATION).ok()??;
    let mut memory = PROCESS_MEMORY_COUNTERS::default();
    let size = size_of_val(&memory) as u32;
    // SAFETY: the handle is open, and the buffer has the given length and outlives the call.
    let asked = unsafe { K32GetProcessMemoryInfo(process.as_raw_handle(), &raw mut memory, size) };
    (asked != 0).then_some(memory.WorkingSetSize as u64)
}

/// CPU time that this process has used, in all of its threads.
pub(crate) fn cpu_time() -> Option<Duration> {
    // SAFETY: the handle of this process is valid without being closed.
    let [_, _, kernel, user] = times(unsafe { GetCurrentProcess() }).ok()?;
    Some(Duration::from_nanos(kernel.checked_add(user)?.checked_mul(100)?))
}

/// Leaves what the starter has decided about Ctrl-C: a process that ignores it hands that on.
/// [The start](super::background::spawn_background) itself hands on no handle, console or job.
pub(crate) fn detach() -> io::Result<()> {
    // SAFETY: without a function, it only sets a flag of this process.
    check(unsafe { SetConsoleCtrlHandler(None, 0) })
}

/// Kills this process at once, whatever its threads are doing.
pub(crate) fn end_now() {
    exit_now(KILLED_CODE as i32);
}

/// Ends this process with an exit code at once: no exit hooks or destructors run, nor those of
/// libraries, which could wait for threads that no longer exist.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: it ends the process.
    unsafe { TerminateProcess(GetCurrentProcess(), code as u32) };
    std::process::abort()
}

pub(crate) fn keep_children() {}

pub(crate) fn signal_of(_status: ExitStatus) -> Option<i32> {
    None
}

/// Why a process ended that left no reason. Windows reports exceptions as exit codes.
pub(crate) fn why_ended(status: ExitStatus) -> &'static str {
    match status.code() {
        Some(STATUS_ACCESS_VIOLATION) => "it crashed: access violation",
        Some(STATUS_STACK_OVERFLOW) => "it crashed: stack overflow",
        Some(STATUS_STACK_BUFFER_OVERRUN) => "it aborted",
        Some(STATUS_CONTROL_C_EXIT) => "ended by Ctrl-C, or with its console",
        _ => "it left no error message",
    }
}

pub(crate) fn signal_name(_signal: i32) -> Option<&'static str> {
    None
}

/// The exit status for a recorded code.
pub(crate) fn status_of(code: Option<i32>, _signal: Option<i32>) -> Option<ExitStatus> {
    code.map(|code| ExitStatus::from_raw(code as u32))
}

/// Runs a program in place of this one, which waits for it; returns only if it cannot be started.
pub(crate) fn exec(mut command: Command) -> io::Error {
    match command.status() {
        Ok(status) => end_like(status),
        Err(error) => error,
    }
}

/// Starts a process that the end of this one, and Ctrl-C in its console, leave alone.
pub(crate) fn set_apart(command: &mut Command) {
    command.creation_flags(CREATE_NO_WINDOW);
}

pub(crate) fn end_like(status: ExitStatus) -> ! {
    std::process::exit(status.code().unwrap_or(1))
}

pub(crate) fn address_bytes_max() -> Option<usize> {
    None
}

pub(crate) fn trim_heap() {}

pub(crate) fn prefer_huge_pages(_bytes: &mut Vec<u8>) {}

pub(crate) fn machine() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

pub(crate) fn notify(_state: &str) {}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_process_is_known_by_its_creation_until_it_ends() {
        let mut command = Command::new("cmd");
        command.args(["/c", "pause"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        let start = process_start(child.id()).unwrap().expect("it runs");
        let known = ProcessId { pid: child.id(), start: Some(start), ..ProcessId::own() };
        assert_eq!(known.presence(), Presence::There);
        let earlier = ProcessId { start: Some(start - 1), ..known.clone() };
        assert_eq!(earlier.presence(), Presence::Gone);
        let process = Process::open(&known).unwrap().expect("it runs");
        assert!(resident_bytes(child.id()).is_some_and(|bytes| bytes > 0));
        process.kill().unwrap();
        assert!(process.ends_within(Duration::from_secs(60)));
        assert_eq!(child.wait().unwrap().code(), KILLED.0);
        assert_eq!(known.presence(), Presence::Gone);
        process.kill().unwrap();
    }
}

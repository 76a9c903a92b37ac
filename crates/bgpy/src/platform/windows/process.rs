//! Processes: nothing is known about others so far.

use std::ffi::{OsString, c_void};
use std::io;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use crate::platform::ProcessId;

/// Nothing is known about other processes: none is proven to exist or to be gone.
pub(crate) fn process_start(_pid: u32) -> io::Result<Option<u64>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn process_namespace() -> Option<String> {
    None
}

pub(crate) fn process_environment(_pid: u32) -> Option<Vec<(OsString, OsString)>> {
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

pub(crate) fn resident_bytes(_pid: u32) -> Option<u64> {
    None
}

/// CPU time that this process has used, in all of its threads, if the system reports it.
pub(crate) fn cpu_time() -> Option<Duration> {
    /// Units of 100 ns, in two halves.
    #[repr(C)]
    #[derive(Default)]
    struct FileTime {
        low: u32,
        high: u32,
    }
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetCurrentProcess() -> *mut c_void;
        fn GetProcessTimes(
            process: *mut c_void,
            created: *mut FileTime,
            ended: *mut FileTime,
            kernel: *mut FileTime,
            user: *mut FileTime,
        ) -> i32;
    }
    let [mut created, mut ended, mut kernel, mut user] = <[FileTime; 4]>::default();
    // SAFETY: the handle of this process is valid without being closed, and the four buffers outlive
    // the call.
    let asked = unsafe {
        GetProcessTimes(
            GetCurrentProcess(),
            &raw mut created,
            &raw mut ended,
            &raw mut kernel,
            &raw mut user,
        )
    };
    let units = |time: FileTime| u64::from(time.high) << 32 | u64::from(time.low);
    let nanoseconds = units(kernel).checked_add(units(user))?.checked_mul(100)?;
    (asked != 0).then(|| Duration::from_nanos(nanoseconds))
}

pub(crate) fn detach() -> io::Result<()> {
    Ok(())
}

pub(crate) fn background(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    command.creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW);
}

pub(crate) fn end_now() {
    std::process::exit(1);
}

pub(crate) fn exit_now(code: i32) -> ! {
    std::process::exit(code)
}

pub(crate) fn keep_children() {}

pub(crate) fn signal_of(_status: ExitStatus) -> Option<i32> {
    None
}

pub(crate) fn why_ended(_status: ExitStatus) -> &'static str {
    "it left no error message"
}

pub(crate) fn signal_name(_signal: i32) -> Option<&'static str> {
    None
}

pub(crate) fn status_of(code: Option<i32>, _signal: Option<i32>) -> Option<ExitStatus> {
    code.map(|code| std::os::windows::process::ExitStatusExt::from_raw(code as u32))
}

pub(crate) fn kill_group(child: &mut Child) {
    drop(child.kill());
}

/// Runs a program in place of this one, which waits for it; returns only if it cannot be started.
pub(crate) fn exec(mut command: std::process::Command) -> std::io::Error {
    match command.status() {
        Ok(status) => end_like(status),
        Err(error) => error,
    }
}

pub(crate) fn set_apart(command: &mut std::process::Command) {
    background(command);
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

//! Starting a process that outlives this one.
//!
//! A process that is started in the usual way inherits every handle that is inheritable, such as the
//! pipe to which its starter prints, whose reader then waits for it. So this one is given a list of
//! the few handles that it needs, which the standard library has no way for.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, HANDLE, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NO_WINDOW, CREATE_UNICODE_ENVIRONMENT, CreateProcessW,
    EXTENDED_STARTUPINFO_PRESENT, GetExitCodeProcess, INFINITE, PROCESS_INFORMATION,
    STARTF_USESTDHANDLES, STARTUPINFOEXW, STARTUPINFOW, TerminateProcess, WaitForSingleObject,
};

use super::attributes::HandleList;
use super::command_line::CommandLine;
use super::handle::{check, inheritable};

/// A process that was started in the background.
#[derive(Debug)]
pub(crate) struct BackgroundChild {
    pub(crate) stdin: Option<PipeWriter>,
    pub(crate) stdout: Option<PipeReader>,
    process: StartedProcess,
}

/// A started process.
#[derive(Debug)]
pub(crate) struct StartedProcess {
    handle: OwnedHandle,
    id: u32,
}

/// Starts a command whose process outlives this one, in a console of its own that nobody sees and,
/// unless that is forbidden, in no job of this process. Its standard input and output are pipes, its
/// standard error is `log`.
pub(crate) fn spawn_background(command: &mut Command, log: File) -> io::Result<BackgroundChild> {
    let (input, stdin) = io::pipe()?;
    let (stdout, output) = io::pipe()?;
    let streams = [input.as_handle(), output.as_handle(), log.as_handle()];
    let process = start(command, streams, &[], CREATE_NO_WINDOW)?;
    Ok(BackgroundChild { stdin: Some(stdin), stdout: Some(stdout), process })
}

impl BackgroundChild {
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.process.wait()
    }

    /// Kills it. A launcher of a virtual environment, which it may be, takes the interpreter that it
    /// has started with it.
    pub(crate) fn kill_group(&mut self) {
        self.process.kill();
    }
}

impl StartedProcess {
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Waits for its end.
    pub(crate) fn wait(&self) -> io::Result<ExitStatus> {
        // SAFETY: the handle is open and permits waiting.
        match unsafe { WaitForSingleObject(self.handle.as_raw_handle(), INFINITE) } {
            WAIT_OBJECT_0 => self.exit_status(),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Its exit status, once it has ended.
    pub(crate) fn exit_status(&self) -> io::Result<ExitStatus> {
        let mut code = 0;
        // SAFETY: the handle is open and permits that, and the result outlives the call.
        check(unsafe { GetExitCodeProcess(self.handle.as_raw_handle(), &raw mut code) })?;
        Ok(ExitStatus::from_raw(code))
    }

    pub(crate) fn kill(&self) {
        // SAFETY: the handle is open and permits that. It fails for a process that has ended.
        unsafe { TerminateProcess(self.handle.as_raw_handle(), 1) };
    }
}

impl AsHandle for StartedProcess {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.handle.as_handle()
    }
}

/// Starts a command with these standard streams, which inherits `others`, inheritable handles,
/// beside them and nothing else.
pub(crate) fn start(
    command: &Command,
    streams: [BorrowedHandle<'_>; 3],
    others: &[BorrowedHandle<'_>],
    flags: u32,
) -> io::Result<StartedProcess> {
    let mut line = CommandLine::of(command)?;
    let [input, output, error] = streams.map(inheritable);
    let streams = [input?, output?, error?];
    let mut all: Vec<HANDLE> = streams.iter().map(AsRawHandle::as_raw_handle).collect();
    all.extend(others.iter().map(AsRawHandle::as_raw_handle));
    let mut list = HandleList::new(&all)?;
    let start = STARTUPINFOEXW {
        StartupInfo: STARTUPINFOW {
            cb: size_of::<STARTUPINFOEXW>() as u32,
            dwFlags: STARTF_USESTDHANDLES,
            hStdInput: all[0],
            hStdOutput: all[1],
            hStdError: all[2],
            ..STARTUPINFOW::default()
        },
        lpAttributeList: list.as_ptr(),
    };
    let flags = flags | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT;
    let mut create = |flags| {
        let mut made = PROCESS_INFORMATION::default();
        // SAFETY: all strings end with zeros, the environment with two, and all of them outlive the
        // call, as do the handles, the list of them and the result.
        check(unsafe {
            CreateProcessW(
                line.program.as_ptr(),
                line.words.as_mut_ptr(),
                std::ptr::null(),
                std::ptr::null(),
                1,
                flags,
                line.environment.as_ptr().cast(),
                line.directory.as_ref().map_or(std::ptr::null(), |directory| directory.as_ptr()),
                (&raw const start).cast(),
                &raw mut made,
            )
        })?;
        // SAFETY: the call has passed both to its caller.
        let [process, thread] = [made.hProcess, made.hThread]
            .map(|handle| unsafe { OwnedHandle::from_raw_handle(handle) });
        drop(thread);
        Ok(StartedProcess { handle: process, id: made.dwProcessId })
    };
    match create(flags | CREATE_BREAKAWAY_FROM_JOB) {
        // Its job keeps what this process starts.
        Err(error) if is_denied(&error) => create(flags),
        created => created,
    }
}

fn is_denied(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_ACCESS_DENIED as i32)
}

//! Telling a process to end: there are no signals between processes, so it waits for an event with
//! its name.

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};

use windows_sys::Win32::System::Threading::{
    CreateEventW, EVENT_MODIFY_STATE, OpenEventW, SetEvent,
};

use super::handle::{check, owned, wide};
use crate::platform::ProcessId;

/// The event by which this process is told to end.
pub(crate) fn own() -> io::Result<OwnedHandle> {
    let name = wide(name(&ProcessId::own()));
    // SAFETY: the name ends with a zero and outlives the call; the default security admits this
    // user alone.
    owned(unsafe { CreateEventW(std::ptr::null(), 1, 0, name.as_ptr()) })
}

/// Tells a process to end, if it listens.
pub(super) fn signal(process: &ProcessId) -> io::Result<()> {
    let name = wide(name(process));
    // SAFETY: the name ends with a zero and outlives the call.
    let event = owned(unsafe { OpenEventW(EVENT_MODIFY_STATE, 0, name.as_ptr()) })?;
    // SAFETY: the handle is open and permits that.
    check(unsafe { SetEvent(event.as_raw_handle()) })
}

fn name(process: &ProcessId) -> String {
    format!("Local\\bgpy-stop-{}-{}", process.pid, process.start.unwrap_or_default())
}

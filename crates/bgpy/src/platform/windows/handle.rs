//! Handles and strings as the system takes them.

use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

/// Takes ownership of what a function of the system has returned.
///
/// # Errors
/// The system's error, if it has returned no handle.
pub(super) fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the function that returned the handle has passed it to its caller.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// The system's error, if a function has returned `FALSE`.
pub(super) fn check(succeeded: i32) -> io::Result<()> {
    if succeeded == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A second handle that started processes can inherit, under the same number.
pub(super) fn inheritable(handle: BorrowedHandle<'_>) -> io::Result<OwnedHandle> {
    let mut copy: HANDLE = std::ptr::null_mut();
    // SAFETY: both processes are this one, whose handle needs no closing, and the result outlives
    // the call.
    check(unsafe {
        let own = GetCurrentProcess();
        let from = handle.as_raw_handle();
        DuplicateHandle(own, from, own, &raw mut copy, 0, 1, DUPLICATE_SAME_ACCESS)
    })?;
    owned(copy)
}

/// A string that ends with a zero.
pub(super) fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain([0]).collect()
}

//! A process that ends with this one, whatever ends this one.

use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::process::Child;

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject,
};

/// Ends a child when the result is dropped, or this process ends; the child's own children live on. If the
/// system refuses that, the child lives on as well.
pub(super) fn tie(child: &Child) -> Option<OwnedHandle> {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags =
        JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    // SAFETY: the handles are open, and the limits have the given length and outlive the call.
    unsafe {
        let job = CreateJobObjectW(std::ptr::null(), std::ptr::null());
        if job.is_null() {
            return None;
        }
        let owned = OwnedHandle::from_raw_handle(job);
        let (kind, bytes) = (JobObjectExtendedLimitInformation, size_of_val(&limits) as u32);
        SetInformationJobObject(job, kind, (&raw const limits).cast(), bytes);
        AssignProcessToJobObject(job, child.as_raw_handle());
        Some(owned)
    }
}

//! Jobs: groups of processes that can be made to end together.

use windows_sys::Win32::System::JobObjects::{
    JOB_OBJECT_LIMIT_BREAKAWAY_OK, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, QueryInformationJobObject,
};

/// Why this process will end with its starter although it is not to, if it will.
pub(crate) fn why_tied_to_starter() -> Option<&'static str> {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    // SAFETY: no job means that of this process; the buffer has the given length and outlives the
    // call, which fails for a process without one.
    let asked = unsafe {
        QueryInformationJobObject(
            std::ptr::null_mut(),
            JobObjectExtendedLimitInformation,
            (&raw mut limits).cast(),
            size_of_val(&limits) as u32,
            std::ptr::null_mut(),
        )
    };
    let flags = limits.BasicLimitInformation.LimitFlags;
    let ends_with_job = flags & JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE != 0;
    // It has left any such job, except one that it was put into after its start: the launcher of a
    // virtual environment does that, and then waits for it.
    let could_leave =
        flags & (JOB_OBJECT_LIMIT_BREAKAWAY_OK | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK) != 0;
    (asked != 0 && ends_with_job && !could_leave).then_some(
        "it was started in a job that lets no process leave and ends all of them when it is closed, as \
         some terminals, schedulers and CI systems make: start it outside",
    )
}

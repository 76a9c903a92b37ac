//! The list of handles that a process inherits.

use std::io;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Threading::{
    DeleteProcThreadAttributeList, InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, UpdateProcThreadAttribute,
};

use super::handle::check;

/// The attributes for a new process: it inherits these handles and no others.
pub(super) struct HandleList<'a> {
    /// Of words, because the system wants it aligned.
    buffer: Vec<usize>,
    _handles: &'a [HANDLE],
}

impl<'a> HandleList<'a> {
    pub(super) fn new(handles: &'a [HANDLE]) -> io::Result<Self> {
        let mut bytes = 0;
        // SAFETY: without a list, it only says how long one is.
        unsafe {
            InitializeProcThreadAttributeList(std::ptr::null_mut(), 1, 0, &raw mut bytes);
        }
        let mut buffer = vec![0; bytes.div_ceil(size_of::<usize>()).max(1)];
        let list = buffer.as_mut_ptr().cast();
        // SAFETY: the buffer is as long as was asked for.
        check(unsafe { InitializeProcThreadAttributeList(list, 1, 0, &raw mut bytes) })?;
        let made = Self { buffer, _handles: handles };
        let (kind, bytes) = (PROC_THREAD_ATTRIBUTE_HANDLE_LIST as usize, size_of_val(handles));
        let (none, no_size) = (std::ptr::null_mut(), std::ptr::null());
        // SAFETY: the list is initialized, and the handles outlive it.
        check(unsafe {
            UpdateProcThreadAttribute(list, 0, kind, handles.as_ptr().cast(), bytes, none, no_size)
        })?;
        Ok(made)
    }

    pub(super) fn as_ptr(&mut self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.buffer.as_mut_ptr().cast()
    }
}

impl Drop for HandleList<'_> {
    fn drop(&mut self) {
        // SAFETY: it was initialized.
        unsafe { DeleteProcThreadAttributeList(self.buffer.as_mut_ptr().cast()) };
    }
}

//! The C library that Python uses: its descriptors are not those of the library that this program
//! may be linked with.

use std::ffi::c_int;
use std::io;
use std::os::windows::io::{IntoRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};

use super::handle::wide;

/// Its functions for descriptors.
pub(super) struct CLibrary {
    open: unsafe extern "C" fn(isize, c_int) -> c_int,
    duplicate: unsafe extern "C" fn(c_int, c_int) -> c_int,
    close: unsafe extern "C" fn(c_int) -> c_int,
    handle_of: unsafe extern "C" fn(c_int) -> isize,
}

impl CLibrary {
    /// The library, if this process has loaded it.
    pub(super) fn of_python() -> Option<Self> {
        let name = wide("ucrtbase.dll");
        // SAFETY: the name ends with a zero and outlives the call.
        let library = unsafe { GetModuleHandleW(name.as_ptr()) };
        if library.is_null() {
            return None;
        }
        // SAFETY: the library stays loaded, and the functions have these types in all its versions.
        unsafe {
            let function = |name: &std::ffi::CStr| GetProcAddress(library, name.as_ptr().cast());
            Some(Self {
                open: std::mem::transmute::<
                    unsafe extern "system" fn() -> isize,
                    unsafe extern "C" fn(isize, c_int) -> c_int,
                >(function(c"_open_osfhandle")?),
                duplicate: std::mem::transmute::<
                    unsafe extern "system" fn() -> isize,
                    unsafe extern "C" fn(c_int, c_int) -> c_int,
                >(function(c"_dup2")?),
                close: std::mem::transmute::<
                    unsafe extern "system" fn() -> isize,
                    unsafe extern "C" fn(c_int) -> c_int,
                >(function(c"_close")?),
                handle_of: std::mem::transmute::<
                    unsafe extern "system" fn() -> isize,
                    unsafe extern "C" fn(c_int) -> isize,
                >(function(c"_get_osfhandle")?),
            })
        }
    }

    /// Makes a file that of a descriptor, and returns the handle that the descriptor then has. What
    /// it had before is closed.
    pub(super) fn replace(&self, descriptor: usize, file: OwnedHandle) -> io::Result<HANDLE> {
        let wrong = || io::Error::other("the C library does not accept the handle");
        // SAFETY: the handle is passed to the library, whose other functions only take descriptors.
        unsafe {
            let opened = (self.open)(file.into_raw_handle() as isize, 0);
            if opened < 0 {
                return Err(wrong());
            }
            let replaced = (self.duplicate)(opened, descriptor as c_int);
            if opened != descriptor as c_int {
                (self.close)(opened);
            }
            if replaced != 0 {
                return Err(wrong());
            }
            Ok((self.handle_of)(descriptor as c_int) as HANDLE)
        }
    }
}

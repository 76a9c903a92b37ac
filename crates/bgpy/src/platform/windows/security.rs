//! Who may use a file or a directory.

use std::io;
use std::os::windows::io::AsRawHandle;
use std::path::Path;

use windows_sys::Win32::Foundation::{ERROR_ALREADY_EXISTS, ERROR_SUCCESS, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW,
    GetNamedSecurityInfoW, SDDL_REVISION_1, SE_FILE_OBJECT,
};
use windows_sys::Win32::Security::{
    ACCESS_ALLOWED_ACE, ACE_HEADER, ACL, DACL_SECURITY_INFORMATION, GetAce, GetTokenInformation,
    OWNER_SECURITY_INFORMATION, PSID, SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::handle::{check, owned, wide};

/// Those who can read every file anyway: the system and administrators.
const MIGHTY: [&str; 2] = ["S-1-5-18", "S-1-5-32-544"];

/// Those who stand for the owner: of a new file, and of this one.
const OWNERS: [&str; 2] = ["S-1-3-0", "S-1-3-4"];

/// Types of entries of an access list: those that permit something, and those that forbid it.
const ALLOWED: u8 = 0;
const DENIED: u8 = 1;

/// Creates a directory that only this user may enter, or checks that it is one.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let user = this_user()?;
    let [system, administrators] = MIGHTY;
    // All rights, also on what will be in it, and none that the directory around it gives.
    let may = |who: &str| format!("(A;OICI;FA;;;{who})");
    let text = format!("D:P{}{}{}", may(&user), may(system), may(administrators));
    let descriptor = Descriptor::of_text(&text)?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
        lpSecurityDescriptor: descriptor.0,
        bInheritHandle: 0,
    };
    let name = wide(path);
    // SAFETY: the name ends with a zero, and it and the attributes outlive the call.
    match check(unsafe { CreateDirectoryW(name.as_ptr(), &raw const attributes) }) {
        Err(error) if error.raw_os_error() != Some(ERROR_ALREADY_EXISTS as i32) => Err(error),
        _ => check_private(path),
    }
}

/// Checks that only this user, and those who may do everything, may enter a directory.
pub(crate) fn check_private(path: &Path) -> io::Result<()> {
    if !std::fs::metadata(path)?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a directory"));
    }
    let user = this_user()?;
    let access = Access::of(path)?;
    let is_trusted = |who: &str| who == user || MIGHTY.contains(&who);
    if !is_trusted(&access.owner) {
        return Err(denied(format!("another user owns it ({})", access.owner)));
    }
    match access.permitted.iter().find(|who| !is_trusted(who) && !OWNERS.contains(&who.as_str())) {
        None => Ok(()),
        Some(other) => Err(denied(format!(
            "other users may enter it ({other}); `icacls \"{}\" /inheritance:r /grant:r \
             \"%USERNAME%:(OI)(CI)F\"` makes it yours alone",
            path.display()
        ))),
    }
}

fn denied(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

/// The identity of this process's user.
fn this_user() -> io::Result<String> {
    let mut token: HANDLE = std::ptr::null_mut();
    // SAFETY: the handle of this process is valid without being closed; the result outlives the call.
    check(unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) })?;
    let token = owned(token)?;
    // A user's identity has at most 68 bytes; of words, because the system wants it aligned.
    let mut buffer = [0_u64; 32];
    let (start, bytes) = (buffer.as_mut_ptr(), size_of_val(&buffer) as u32);
    let mut used = 0;
    // SAFETY: the buffer has the given length and outlives the call, after which it begins with the
    // structure that was asked for.
    unsafe {
        let token = token.as_raw_handle();
        check(GetTokenInformation(token, TokenUser, start.cast(), bytes, &raw mut used))?;
        text_of((*start.cast::<TOKEN_USER>()).User.Sid)
    }
}

/// An identity as text.
///
/// # Safety
/// It must be one.
unsafe fn text_of(identity: PSID) -> io::Result<String> {
    let mut text = std::ptr::null_mut();
    // SAFETY: the caller guarantees the identity; the result outlives the call, and is a string that
    // ends with a zero and belongs to the caller.
    unsafe {
        check(ConvertSidToStringSidW(identity, &raw mut text))?;
        let length = (0..).take_while(|at| *text.add(*at) != 0).count();
        let copied = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        Ok(copied)
    }
}

/// A description of who may do what, allocated by the system.
struct Descriptor(*mut core::ffi::c_void);

impl Descriptor {
    fn of_text(text: &str) -> io::Result<Self> {
        let (text, mut made) = (wide(text), std::ptr::null_mut());
        // SAFETY: the text ends with a zero, and both outlive the call.
        check(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut made,
                std::ptr::null_mut(),
            )
        })?;
        Ok(Self(made))
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the system has allocated it for its caller.
        unsafe { LocalFree(self.0) };
    }
}

/// Who owns a directory, and who is permitted anything there.
struct Access {
    owner: String,
    permitted: Vec<String>,
}

impl Access {
    fn of(path: &Path) -> io::Result<Self> {
        let name = wide(path);
        let (mut owner, mut list, mut descriptor) =
            (std::ptr::null_mut(), std::ptr::null_mut::<ACL>(), std::ptr::null_mut());
        // SAFETY: the name ends with a zero, and all of them outlive the call.
        let code = unsafe {
            GetNamedSecurityInfoW(
                name.as_ptr(),
                SE_FILE_OBJECT,
                OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                &raw mut owner,
                std::ptr::null_mut(),
                &raw mut list,
                std::ptr::null_mut(),
                &raw mut descriptor,
            )
        };
        if code != ERROR_SUCCESS {
            return Err(io::Error::from_raw_os_error(code as i32));
        }
        let descriptor = Descriptor(descriptor);
        if list.is_null() {
            return Err(denied("it has no access list, so that everybody may enter it".to_owned()));
        }
        // SAFETY: owner and list are parts of the descriptor, which is dropped last. An entry that
        // permits or forbids something ends with an identity; the others are not looked into.
        let access = unsafe {
            let mut permitted = Vec::new();
            for index in 0..u32::from((*list).AceCount) {
                let mut entry = std::ptr::null_mut();
                check(GetAce(list, index, &raw mut entry))?;
                match (*entry.cast::<ACE_HEADER>()).AceType {
                    DENIED => {}
                    ALLOWED => {
                        let entry = entry.cast::<ACCESS_ALLOWED_ACE>();
                        permitted.push(text_of((&raw mut (*entry).SidStart).cast())?);
                    }
                    other => permitted.push(format!("an entry of type {other}")),
                }
            }
            Self { owner: text_of(owner)?, permitted }
        };
        drop(descriptor);
        Ok(access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_directory_is_private_and_stays_so() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("nested").join("gr\u{fc}\u{df}e run");
        private_directory(&path).unwrap();
        private_directory(&path).unwrap();
        check_private(&path).unwrap();
        let file = path.join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(check_private(&file).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        let missing = check_private(&path.join("missing")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_directory_that_everybody_may_enter_is_not() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("open");
        let descriptor = Descriptor::of_text("D:P(A;OICI;FA;;;WD)").unwrap();
        let attributes = SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: descriptor.0,
            bInheritHandle: 0,
        };
        let name = wide(&path);
        // SAFETY: as above.
        check(unsafe { CreateDirectoryW(name.as_ptr(), &raw const attributes) }).unwrap();
        let error = private_directory(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
}

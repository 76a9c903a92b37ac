//! Where a user's servers are found: the same place for every kind of login.

use std::ffi::{CStr, OsStr};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::ptr;

/// Longest entry of the password database that is read, in bytes.
const PASSWORD_BYTES_MAX: usize = 1 << 20;

/// The place for the entries, sockets and logs of this user's servers.
///
/// It depends only on the user's home directory, so that a login shell, cron, sudo, su, ssh and a
/// service manager agree. `XDG_RUNTIME_DIR` is not set for all of them, and is deleted when the
/// user logs out, while servers keep running.
pub(crate) fn runtime_directory() -> Option<PathBuf> {
    home().map(|home| home.join(".local/state/bgpy"))
}

/// The places used by bgpy 1.0 and earlier.
pub(crate) fn former_directories() -> Vec<PathBuf> {
    let from = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let user = rustix::process::geteuid().as_raw();
    let mut places: Vec<_> = [
        from("XDG_RUNTIME_DIR").map(|path| path.join("bgpy")),
        Some(format!("/run/user/{user}/bgpy").into()),
        from("XDG_CACHE_HOME").map(|path| path.join("bgpy/run")),
        home().map(|home| home.join(".cache/bgpy/run")),
    ]
    .into_iter()
    .flatten()
    .collect();
    places.dedup();
    places
}

/// Whether the system deletes the contents of a directory when its user logs out.
pub(crate) fn ends_with_login(directory: &std::path::Path) -> bool {
    let named = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty());
    named.is_some_and(|path| directory.starts_with(path)) || directory.starts_with("/run/user")
}

/// The user's home directory: `HOME` if it belongs to this user, because sudo and su may leave
/// another user's in it, else that of the password database.
fn home() -> Option<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    let named = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let is_own = |home: &PathBuf| fs::metadata(home).is_ok_and(|about| about.uid() == user);
    named.filter(is_own).or_else(|| home_in_database(user)).filter(|home| home.is_absolute())
}

fn home_in_database(user: u32) -> Option<PathBuf> {
    let mut buffer = vec![0; 1024];
    loop {
        // SAFETY: it consists of integers and pointers, for which zeros are valid.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found = ptr::null_mut();
        let (start, length) = (buffer.as_mut_ptr(), buffer.len());
        // SAFETY: all pointers are to live memory of the given lengths.
        let code = unsafe { libc::getpwuid_r(user, &raw mut entry, start, length, &raw mut found) };
        if code == libc::ERANGE && length < PASSWORD_BYTES_MAX {
            buffer.resize(length * 2, 0);
            continue;
        }
        if code != 0 || found.is_null() || entry.pw_dir.is_null() {
            return None;
        }
        // SAFETY: the entry was found, so the path is a zero-terminated string in the buffer.
        let path = unsafe { CStr::from_ptr(entry.pw_dir) };
        return Some(OsStr::from_bytes(path.to_bytes()).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_database_knows_root() {
        let home = home_in_database(0).expect("every system has root");
        assert!(home.is_absolute());
        assert_eq!(home_in_database(u32::MAX - 7), None);
    }

    #[test]
    fn what_ends_with_a_login_is_told() {
        assert!(ends_with_login(std::path::Path::new("/run/user/1000/bgpy")));
        assert!(!ends_with_login(std::path::Path::new("/home/me/.local/state/bgpy")));
    }
}

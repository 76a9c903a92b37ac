//! Checks the runtime directory, which holds the entries, sockets and logs of servers.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use bgpy::registry::{DIRECTORY_VARIABLE, Registry};

use super::Finding;
use crate::output::view::bytes;
use crate::platform;

/// The subject of the findings.
pub(super) const ABOUT: &str = "directory";

/// Bytes that are written to check that writing works.
const PROBE_BYTES: usize = 4096;

/// Logs of this size are worth a note.
const LOGS_BYTES_MANY: u64 = 1 << 30;

/// Whether the directory exists, is private to this user, and is writable.
pub(super) fn runtime(registry: &Registry) -> Vec<Finding> {
    let path = registry.directory();
    let shown = path.display();
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound => return vec![missing(path)],
        Err(error) => {
            let text = format!("'{shown}' cannot be accessed: {error}");
            return vec![Finding::error(ABOUT, text, another())];
        }
    };
    if !about.is_dir() {
        let fix = format!("remove it, or {}", another());
        return vec![Finding::error(ABOUT, format!("'{shown}' is not a directory"), fix)];
    }
    if registry.check().is_err() {
        return vec![not_private(path, &about)];
    }
    match write_probe(path) {
        Ok(()) => {
            let text = format!("'{shown}' is private to you, and writable");
            vec![Finding::ok(ABOUT, text)]
        }
        Err(error) => vec![unwritable(path, &error)],
    }
}

/// Whether its path is short enough for Unix sockets.
pub(super) fn socket_paths(registry: &Registry) -> Vec<Finding> {
    if !platform::HAS_UNIX_SOCKETS {
        return Vec::new();
    }
    if registry.has_room_for_sockets() {
        return vec![Finding::ok("sockets", "its path is short enough for Unix sockets")];
    }
    let text = format!(
        "the path of the runtime directory is too long for Unix sockets ({} bytes), so clients on this \
         machine connect over TCP, which is slower",
        registry.directory().as_os_str().len()
    );
    vec![Finding::note("sockets", text, format!("set {DIRECTORY_VARIABLE} to a shorter path"))]
}

/// Whether it exists as long as the servers do.
pub(super) fn survival(registry: &Registry) -> Vec<Finding> {
    if !registry.ends_with_login() {
        return Vec::new();
    }
    let text = format!(
        "'{}' is deleted when you log out, unless you run `loginctl enable-linger`: servers restore \
         their files if they can, but logs are lost",
        registry.directory().display()
    );
    vec![Finding::note(ABOUT, text, another())]
}

/// How much space the logs in it take.
pub(super) fn logs(registry: &Registry) -> Vec<Finding> {
    let (count, total) = size_of_logs(registry.directory());
    let plural = if count == 1 { "file" } else { "files" };
    let text = format!("{count} {plural}, {}", bytes(total));
    vec![if total < LOGS_BYTES_MANY {
        Finding::ok("logs", text)
    } else {
        let path = registry.directory().display();
        let fix = format!("remove the ones that you do not need from '{path}'");
        Finding::note("logs", text, fix)
    }]
}

fn another() -> String {
    format!("set {DIRECTORY_VARIABLE} to a directory of yours")
}

fn missing(path: &Path) -> Finding {
    let shown = path.display();
    let above = path.ancestors().skip(1).find(|above| above.exists());
    match above {
        Some(above) if above.is_dir() && platform::is_writable(above) => {
            Finding::ok(ABOUT, format!("'{shown}' does not exist yet; the first server creates it"))
        }
        above => {
            let above = above.unwrap_or(Path::new("/")).display();
            let text = format!("'{shown}' does not exist, and cannot be created in '{above}'");
            let fix = format!("create it, with mode 700, or {}", another());
            Finding::error(ABOUT, text, fix)
        }
    }
}

fn not_private(path: &Path, about: &fs::Metadata) -> Finding {
    let shown = path.display();
    if let Some(owner) = platform::other_owner(about) {
        let text = format!("'{shown}' belongs to another user (id {owner})");
        return Finding::error(ABOUT, text, another());
    }
    let Some(mode) = platform::access_mode(about) else {
        return Finding::error(ABOUT, format!("other users may enter '{shown}'"), another());
    };
    let text =
        format!("other users may enter '{shown}' (mode {mode:03o}), so nothing in it is trusted");
    Finding::error(ABOUT, text, format!("chmod 700 '{shown}'"))
}

/// Writes and removes a small file.
fn write_probe(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!("doctor-{}.probe", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
    // A full file system may report that only when it writes to the disk.
    let written = file.write_all(&[0; PROBE_BYTES]).and_then(|()| file.sync_all());
    let written = written.and_then(|()| match file.try_lock() {
        Ok(()) | Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => {
            let text =
                format!("files cannot be locked there, which names of servers require: {error}");
            Err(io::Error::new(error.kind(), text))
        }
    });
    drop(file);
    written.and(fs::remove_file(&path))
}

fn unwritable(path: &Path, error: &io::Error) -> Finding {
    let shown = path.display();
    let (text, fix) = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (
            format!("the file system of '{shown}' is full: {error}"),
            format!("remove files there that you do not need, or {}", another()),
        ),
        ErrorKind::PermissionDenied => (
            format!("no file can be created in '{shown}': {error}"),
            format!("chmod 700 '{shown}'"),
        ),
        _ => (format!("'{shown}' cannot be used: {error}"), another()),
    };
    Finding::error(ABOUT, text, fix)
}

/// The number and total size of logs, including rotated ones.
fn size_of_logs(directory: &Path) -> (usize, u64) {
    let is_log = |name: &str| {
        let (stem, last) = name.rsplit_once('.').unwrap_or_default();
        last == "log" || (stem.ends_with(".log") && last.parse::<u32>().is_ok())
    };
    let all = fs::read_dir(directory).into_iter().flatten().flatten();
    let logs = all.filter(|file| file.file_name().to_str().is_some_and(is_log));
    let sizes = logs.filter_map(|file| Some(file.metadata().ok()?.len()));
    sizes.fold((0, 0), |(count, total), size| (count + 1, total + size))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Level;
    use super::*;

    fn registry() -> (tempfile::TempDir, Registry) {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("run"));
        (directory, registry)
    }

    fn only(findings: Vec<Finding>) -> Finding {
        let [finding] = <[Finding; 1]>::try_from(findings).unwrap();
        finding
    }

    #[test]
    fn a_directory_in_order() {
        let (_directory, registry) = registry();
        let finding = only(runtime(&registry));
        assert_eq!((finding.level, finding.text.contains("does not exist yet")), (Level::Ok, true));
        registry.prepare().unwrap();
        let finding = only(runtime(&registry));
        assert_eq!((finding.level, finding.text.contains("private to you")), (Level::Ok, true));
        assert_eq!(fs::read_dir(registry.directory()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_others_enter() {
        let (_directory, registry) = registry();
        registry.prepare().unwrap();
        fs::set_permissions(registry.directory(), fs::Permissions::from_mode(0o750)).unwrap();
        let finding = only(runtime(&registry));
        assert_eq!(finding.level, Level::Error);
        assert!(finding.text.contains("mode 750"), "{finding:?}");
        assert!(finding.fix.unwrap().starts_with("chmod 700 "));
    }

    #[test]
    fn what_is_no_directory() {
        let (_directory, registry) = registry();
        fs::write(registry.directory(), "").unwrap();
        let finding = only(runtime(&registry));
        assert_eq!(
            (finding.level, finding.text.contains("is not a directory")),
            (Level::Error, true)
        );
        let below = Registry::at(registry.directory().join("run"));
        assert_eq!(only(runtime(&below)).level, Level::Error);
    }

    #[test]
    fn a_full_file_system_is_told_from_a_closed_one() {
        let path = Path::new("/run/bgpy");
        for (kind, text, fix) in [
            (ErrorKind::StorageFull, "is full", "remove"),
            (ErrorKind::PermissionDenied, "no file can be created", "chmod 700"),
            (ErrorKind::ReadOnlyFilesystem, "cannot be used", DIRECTORY_VARIABLE),
        ] {
            let finding = unwritable(path, &kind.into());
            assert!(finding.text.contains(text), "{finding:?}");
            assert!(finding.fix.unwrap().contains(fix));
        }
    }

    #[test]
    fn a_path_too_long_for_sockets_is_noted() {
        let deep = Registry::at(format!("/{}", "x".repeat(120)));
        let finding = only(socket_paths(&deep));
        assert_eq!((finding.level, finding.text.contains("TCP")), (Level::Note, true));
        assert_eq!(only(socket_paths(&Registry::at("/run"))).level, Level::Ok);
    }

    #[test]
    fn logs_are_counted_with_those_that_were_rotated() {
        let (_directory, registry) = registry();
        registry.prepare().unwrap();
        for name in ["a.log", "a.log.1", "a.log.draft", "b.json", "log"] {
            fs::write(registry.directory().join(name), [0; 500]).unwrap();
        }
        assert_eq!(size_of_logs(registry.directory()), (2, 1000));
        assert_eq!(only(logs(&registry)).text, "2 files, 1.0 KiB");
        assert_eq!(only(logs(&Registry::at("/nowhere"))).level, Level::Ok);
    }
}

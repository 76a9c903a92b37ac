//! Writing entries to disk, even to a full one.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use bgpy_proto::Id;

use super::entry::Entry;
use super::files::{ENTRY_BYTES_MAX, file_name, short, vacate};
use crate::platform::{self, Stamp};

/// Upper bound for the size of an entry, unless its server has very many variables.
const ENTRY_BYTES: usize = 16 << 10;

/// Checks that an entry can be written.
///
/// # Errors
/// The system's error.
pub(super) fn check_room(directory: &Path) -> io::Result<()> {
    let (path, mut file) = create_draft(&directory.join("room"))?;
    let written = file.write_all(&[b' '; ENTRY_BYTES]);
    drop(fs::remove_file(path));
    written
}

/// Writes an entry and returns the stamp of its file. Readers see all of it or nothing.
pub(super) fn write(directory: &Path, entry: &Entry) -> io::Result<Stamp> {
    let path = directory.join(file_name(entry));
    write_anew(&path, entry).or_else(|error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            write_in_place(&path, entry).map_err(|_| error)
        }
        _ => Err(error),
    })
}

/// Creates a file with an unused name, so that no existing file is followed or overwritten.
fn create_draft(path: &Path) -> io::Result<(PathBuf, File)> {
    let draft = path.with_extension(format!("{}.draft", short(&Id::random().to_string())));
    let file = platform::private_file().write(true).create_new(true).open(&draft)?;
    Ok((draft, file))
}

/// Writes an entry to a new file and moves that into place.
fn write_anew(path: &Path, entry: &Entry) -> io::Result<Stamp> {
    let text = text(entry)?;
    let (draft, mut file) = create_draft(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| Stamp::of_file(&file));
    drop(file);
    let stamp = written.and_then(|stamp| put(&draft, path).map(|()| stamp));
    stamp.inspect_err(|_| drop(fs::remove_file(draft)))
}

/// Renames a file over whatever is at the target, even an empty directory; the old file disappears
/// only when the new one is in place.
pub(crate) fn put(from: &Path, to: &Path) -> io::Result<()> {
    if to.symlink_metadata().is_ok_and(|about| about.is_dir()) {
        vacate(to)?;
    }
    platform::rename(from, to)
}

/// Overwrites the existing entry of the same server if the disk has no room for another file. A
/// reader that catches it half-written [reads again](super::files::examine).
fn write_in_place(path: &Path, entry: &Entry) -> io::Result<Stamp> {
    let (file, found) = platform::open_private(path, ENTRY_BYTES_MAX)?;
    let known: Entry = serde_json::from_slice(&found)?;
    let mut text = dense_text(entry)?;
    let has_room = text.len() as u64 <= platform::allocated_bytes(&file.metadata()?);
    if !has_room || known.instance != entry.instance {
        return Err(ErrorKind::StorageFull.into());
    }
    // Pad with spaces over a longer old text, in the same write.
    text.resize(text.len().max(found.len()), b' ');
    platform::write_over(&file, &text)?;
    Stamp::of_file(&file)
}

fn text(entry: &Entry) -> io::Result<String> {
    serde_json::to_string_pretty(entry).map_err(io::Error::other)
}

/// The text of an entry in its shortest form.
fn dense_text(entry: &Entry) -> io::Result<Vec<u8>> {
    serde_json::to_vec(entry).map_err(io::Error::other)
}

/// The stamp of a server's entry, if the path holds it as written, in a file like the one that was
/// written; `None` if it is proven not to. Not every file system preserves the mode and the times
/// of a file.
///
/// # Errors
/// Why the file cannot be examined, which proves nothing.
pub(super) fn stamp(path: &Path, entry: &Entry, written: &Stamp) -> io::Result<Option<Stamp>> {
    // Take the stamp before reading, so that any later change yields a different one.
    let Some(stamp) = Stamp::of_any(path)?.filter(|found| found.is_like(written)) else {
        return Ok(None);
    };
    match platform::read_own(path, ENTRY_BYTES_MAX) {
        Ok(found) => Ok(is_text_of(entry, &found).then_some(stamp)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // Errors of the system concern the attempt to read; all others, what was found.
        Err(error) if error.raw_os_error().is_none() && !platform::is_exhausted(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether bytes are what is written for an entry, to a new file or over an old one.
fn is_text_of(entry: &Entry, found: &[u8]) -> bool {
    text(entry).is_ok_and(|text| text.as_bytes() == found)
        || dense_text(entry).is_ok_and(|text| text == found.trim_ascii_end())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::directory::Registry;
    use super::*;

    fn world() -> (tempfile::TempDir, Registry, Entry) {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("run"));
        registry.prepare().unwrap();
        let mut entry = Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap());
        entry.token = Some("x".repeat(100));
        registry.put(&entry).unwrap();
        (directory, registry, entry)
    }

    #[test]
    fn an_entry_is_written_over_one_of_the_same_server_alone() {
        let (_directory, registry, mut entry) = world();
        let path = registry.entry_path(&entry);
        (entry.generation, entry.token) = (7, None);
        write_in_place(&path, &entry).unwrap();
        let [found] = &registry.entries().unwrap()[..] else { panic!("it can be read") };
        assert_eq!((found.generation, &found.token), (7, &None));
        let before = fs::read(&path).unwrap();
        // Longer than the space the disk has allocated to it.
        entry.python = Some("x".repeat(1 << 20));
        assert!(write_in_place(&path, &entry).is_err());
        let other = Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap());
        assert!(write_in_place(&path, &other).is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn what_is_written_over_is_known_as_own_until_it_changes() {
        let (_directory, registry, mut entry) = world();
        let path = registry.entry_path(&entry);
        entry.token = None;
        let written = write_in_place(&path, &entry).unwrap();
        let stamp = registry.stamp(&entry, &written).unwrap().expect("it is its own");
        assert_eq!(Stamp::at(&path).unwrap(), stamp);
        let older = Entry { generation: 1, ..entry.clone() };
        assert_eq!(registry.stamp(&older, &written).unwrap(), None);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("127.0.0.1", "127.0.0.9")).unwrap();
        assert_eq!(registry.stamp(&entry, &written).unwrap(), None);
    }

    #[test]
    fn nothing_is_written_over_that_a_link_leads_to_or_others_may_use() {
        let (directory, registry, mut entry) = world();
        let (path, elsewhere) = (registry.entry_path(&entry), directory.path().join("elsewhere"));
        entry.generation = 7;
        fs::rename(&path, &elsewhere).unwrap();
        let before = fs::read(&elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        assert!(write_in_place(&path, &entry).is_err());
        assert_eq!(fs::read(&elsewhere).unwrap(), before);
        fs::rename(&elsewhere, &path).unwrap();
        for mode in [0o604, 0o620, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(write_in_place(&path, &entry).is_err());
        }
        assert_eq!(fs::read(&path).unwrap(), before);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        write_in_place(&path, &entry).unwrap();
    }

    #[test]
    fn one_of_an_earlier_process_is_known_from_anything_else() {
        let (_directory, registry, mut entry) = world();
        assert!(!registry.has_earlier(&entry));
        entry.generation = 1;
        assert!(registry.has_earlier(&entry));
        let path = registry.entry_path(&entry);
        let other = Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap());
        fs::write(&path, text(&other).unwrap()).unwrap();
        assert!(!registry.has_earlier(&entry));
        fs::remove_file(&path).unwrap();
        assert!(!registry.has_earlier(&entry));
    }
}

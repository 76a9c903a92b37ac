//! How entries get to disk, also to one that is full.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::{Entry, Registry, file_name};
use crate::platform;

/// Bytes that an entry needs at most, unless its server has a great many variables.
const ENTRY_BYTES: usize = 16 << 10;

impl Registry {
    /// Confirms that an entry can be written.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn check_room(&self) -> io::Result<()> {
        self.prepare()?;
        let path = self.directory.join(format!("{}.draft", std::process::id()));
        let create = || platform::private_file().write(true).create_new(true).open(&path);
        let written = create().and_then(|mut file| file.write_all(&[b' '; ENTRY_BYTES]));
        drop(fs::remove_file(&path));
        written
    }
}

/// Writes an entry; readers see all of it or nothing.
pub(super) fn write(directory: &Path, entry: &Entry) -> io::Result<()> {
    let path = directory.join(file_name(entry));
    let draft = path.with_extension("draft");
    let text = serde_json::to_string_pretty(entry).map_err(io::Error::other)?;
    let create = || platform::private_file().write(true).create(true).truncate(true).open(&draft);
    let written = create().and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        fs::rename(&draft, &path)
    });
    written.or_else(|error| {
        drop(fs::remove_file(&draft));
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                write_in_place(&path, entry).map_err(|_| error)
            }
            _ => Err(error),
        }
    })
}

/// Writes an entry over what stands there of the same server, where the disk has no room for another
/// file. Whoever reads at the same moment [reads again](super::read_entry).
fn write_in_place(path: &Path, entry: &Entry) -> io::Result<()> {
    let known: Entry = serde_json::from_slice(&fs::read(path)?)?;
    let mut text = serde_json::to_vec(entry)?;
    let mut file = OpenOptions::new().write(true).open(path)?;
    let about = file.metadata()?;
    let has_room = text.len() as u64 <= platform::allocated_bytes(&about);
    if !has_room || known.instance != entry.instance {
        return Err(ErrorKind::StorageFull.into());
    }
    // Spaces in the place of what was longer, in the same write.
    text.resize(text.len().max(about.len() as usize), b' ');
    file.write_all(&text)
}

#[cfg(all(test, unix))]
mod tests {
    use bgpy_proto::Id;

    use super::*;
    use crate::registry::Registry;

    #[test]
    fn an_entry_is_written_over_one_of_the_same_server_alone() {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("run"));
        registry.prepare().unwrap();
        let mut entry = Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap());
        entry.token = Some("x".repeat(100));
        registry.add(&entry).unwrap();
        let path = registry.entry_path(&entry);
        (entry.generation, entry.token) = (7, None);
        write_in_place(&path, &entry).unwrap();
        let [found] = &registry.entries()[..] else { panic!("it can be read") };
        assert_eq!((found.generation, &found.token), (7, &None));
        let before = fs::read(&path).unwrap();
        // There is no more room than the disk has given it.
        entry.python = Some("x".repeat(1 << 20));
        assert!(write_in_place(&path, &entry).is_err());
        let other = Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap());
        assert!(write_in_place(&path, &other).is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

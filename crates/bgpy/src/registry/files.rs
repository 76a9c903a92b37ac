//! The files of the registry: written so that readers see all of an entry or nothing, and read so that
//! nothing is followed, waited for or believed that is not an entry of this user.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bgpy_proto::Id;
use serde::Deserialize;

use super::Entry;
use super::entry::FORMAT;
use super::machine::Machine;
use crate::platform::{self, Stamp};

/// Longest file that is taken for an entry, in bytes: one tells what the server was told, variables of
/// the environment included.
const ENTRY_BYTES_MAX: u64 = 16 << 20;

/// What stands where an entry is expected.
#[derive(Debug)]
pub(super) enum Found {
    /// An entry of this version's format.
    Entry(Box<Entry>),
    /// An entry of a format that is newer than this version of bgpy.
    Newer(u32),
    /// Something else, and why it is none.
    Unreadable(String),
    /// Something that this process cannot look at, because it has no descriptor or no memory left.
    Unseen(io::Error),
    /// Nothing.
    Nothing,
}

/// As much of an entry as tells whether this version can read the rest.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

/// The files with an extension; none where the directory cannot be read.
pub(super) fn files(directory: &Path, extension: &str) -> impl Iterator<Item = PathBuf> {
    listed(directory, extension).unwrap_or_default().into_iter()
}

fn listed(directory: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let all = match fs::read_dir(directory) {
        Ok(all) => all,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = all.map(|file| Ok(file?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    Ok(paths)
}

pub(super) fn file_name(entry: &Entry) -> String {
    format!("{}.json", short(&entry.instance))
}

/// What the Unix socket of a server is called.
pub(super) fn socket_name(instance: &str) -> String {
    format!("{}.sock", short(instance))
}

/// The first 16 digits of an id: unique enough for a file name, and short for a socket's path.
pub(super) fn short(instance: &str) -> &str {
    instance.get(..16).unwrap_or(instance)
}

fn text(entry: &Entry) -> io::Result<String> {
    serde_json::to_string_pretty(entry).map_err(io::Error::other)
}

/// Writes an entry, and returns what the file is like that was made for it.
pub(super) fn write(directory: &Path, entry: &Entry) -> io::Result<Stamp> {
    let path = directory.join(file_name(entry));
    // A name that nobody has, so that nothing stands there already that would be followed or torn.
    let draft = path.with_extension(format!("{}.draft", short(&Id::random().to_string())));
    let text = text(entry)?;
    let mut file = platform::private_file().write(true).create_new(true).open(&draft)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| Stamp::of_file(&file));
    drop(file);
    let stamp = written.and_then(|stamp| put(&draft, &path).map(|()| stamp));
    stamp.inspect_err(|_| drop(fs::remove_file(draft)))
}

/// A path beside that of a server's socket, and no longer than it: one that nobody has.
#[cfg(unix)]
pub(crate) fn beside(socket: &Path) -> PathBuf {
    socket.with_file_name(socket_name(&Id::random().to_string()))
}

/// Renames a file to where something else may stand, also a directory with nothing in it: it is gone only
/// when there is something in its place.
pub(crate) fn put(from: &Path, to: &Path) -> io::Result<()> {
    if to.symlink_metadata().is_ok_and(|about| about.is_dir()) {
        vacate(to)?;
    }
    fs::rename(from, to)
}

/// Removes what stands at a path, whatever it is; what a link leads to stays.
///
/// # Errors
/// When it is a directory with something in it, or what the operating system says.
pub(crate) fn vacate(path: &Path) -> io::Result<()> {
    let removed = path.symlink_metadata().and_then(|about| {
        if about.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) }
    });
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            let text =
                format!("'{}' is a directory with something in it: move it away", path.display());
            Err(io::Error::new(error.kind(), text))
        }
        result => result,
    }
}

/// What tells a server's entry from anything else in its place, if it stands there as it was written, in a
/// file like that; none where it is proven not to. Not every file system keeps the mode with which a file is
/// made, nor its times.
///
/// # Errors
/// Why it cannot be looked at, which proves nothing.
pub(super) fn stamp(path: &Path, entry: &Entry, written: &Stamp) -> io::Result<Option<Stamp>> {
    // Taken before it is read, so that whatever changes from then on has another one.
    let Some(stamp) = Stamp::of_any(path)?.filter(|found| found.is_like(written)) else {
        return Ok(None);
    };
    match platform::read_own(path, ENTRY_BYTES_MAX) {
        Ok(found) => Ok((text(entry)?.as_bytes() == found).then_some(stamp)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // The system's errors are of the attempt, all others of what was found.
        Err(error) if error.raw_os_error().is_none() && !platform::is_exhausted(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Looks what stands at a path where an entry is expected.
pub(super) fn examine(path: &Path) -> Found {
    let bytes = match platform::read_own(path, ENTRY_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Nothing,
        Err(error) if platform::is_exhausted(&error) => return Found::Unseen(error),
        Err(error) => return Found::Unreadable(error.to_string()),
    };
    let parsed = serde_json::from_slice(&bytes).and_then(|head: Head| match head.format {
        newer if newer > FORMAT => Ok(Found::Newer(newer)),
        _ => serde_json::from_slice(&bytes).map(|entry| Found::Entry(Box::new(entry))),
    });
    match parsed {
        Ok(Found::Entry(entry)) if path.file_name() != Some(file_name(&entry).as_ref()) => {
            Found::Unreadable("it is a copy of another server's entry".to_owned())
        }
        Ok(found) => found,
        Err(error) => Found::Unreadable(error.to_string()),
    }
}

/// The entries of this machine, youngest first; none where others could have written them.
///
/// # Errors
/// Why the directory cannot be read, or not all that is in it: what is there then is not known.
pub(super) fn read(directory: &Path) -> io::Result<Vec<Entry>> {
    let told = |error: io::Error| {
        let text =
            format!("the directory of servers '{}' cannot be read: {error}", directory.display());
        io::Error::new(error.kind(), text)
    };
    match platform::check_private(directory) {
        Ok(()) => {}
        Err(error) if platform::is_exhausted(&error) => return Err(told(error)),
        Err(_) => return Ok(Vec::new()),
    }
    let machine = Machine::own();
    let mut entries = Vec::new();
    for path in listed(directory, "json").map_err(told)? {
        entries.extend(read_entry(&path, &machine).map_err(told)?);
    }
    entries.sort_by_key(|entry: &Entry| std::cmp::Reverse(entry.started_ms));
    Ok(entries)
}

/// The entry of a server of this machine.
pub(super) fn read_one(directory: &Path, instance: &str) -> Option<Entry> {
    platform::check_private(directory).ok()?;
    let path = directory.join(format!("{}.json", short(instance)));
    read_entry(&path, &Machine::own()).ok()?.filter(|entry| entry.instance == instance)
}

fn read_entry(path: &Path, machine: &Machine) -> io::Result<Option<Entry>> {
    match examine(path) {
        Found::Entry(entry) if entry.format == FORMAT && machine.may_be(&entry.machine) => {
            Ok(Some(*entry))
        }
        Found::Unseen(error) => Err(error),
        _ => Ok(None),
    }
}

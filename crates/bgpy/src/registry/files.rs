//! The files of the registry, read without following links, without blocking, and only if they are
//! entries of this user.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io, thread};

use bgpy_proto::Id;
use serde::Deserialize;

use super::entry::{Entry, FORMAT};
use super::machine::Machine;
use crate::platform;
use crate::platform::WithLimit;

/// Most bytes of an entry: it contains the configuration, including environment variables.
pub(super) const ENTRY_BYTES_MAX: u64 = 16 << 20;

/// How long an entry may be torn while it is overwritten.
const TORN: Duration = Duration::from_millis(1);

/// What is found at the path of an entry.
#[derive(Debug)]
pub(super) enum Found {
    /// An entry in this version's format.
    Entry(Box<Entry>),
    /// An entry in a format newer than this version of bgpy.
    Newer(u32),
    /// Something else, and why it is not an entry.
    Unreadable(String),
    /// Something that cannot be examined, because this process is out of descriptors or memory.
    Unseen(io::Error),
    /// Nothing.
    Nothing,
}

/// The part of an entry that tells whether this version can read the rest.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

/// The files with an extension; none if the directory cannot be read.
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

/// The file name of a server's Unix socket.
pub(super) fn socket_name(instance: &str) -> String {
    format!("{}.sock", short(instance))
}

/// The first 16 digits of an id: unique enough for a file name, and short enough for a socket path.
pub(super) fn short(instance: &str) -> &str {
    instance.get(..16).unwrap_or(instance)
}

/// An unused path next to a server's socket, and no longer than it.
pub(crate) fn beside(socket: &Path) -> PathBuf {
    socket.with_file_name(socket_name(&Id::random().to_string()))
}

/// Removes whatever is at a path; the target of a link stays.
///
/// # Errors
/// If it is a directory that is not empty, or the system's error.
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

/// Examines a path where an entry is expected.
pub(super) fn examine(path: &Path) -> Found {
    let look = || platform::read_own(path, ENTRY_BYTES_MAX).map(|bytes| parse(&bytes));
    let found = match look() {
        // It may be an entry that is being overwritten.
        Ok(Err(_)) => {
            thread::sleep(TORN);
            look()
        }
        found => found,
    };
    match found {
        Ok(Ok(Found::Entry(entry))) if path.file_name() != Some(file_name(&entry).as_ref()) => {
            Found::Unreadable("it is a copy of another server's entry".to_owned())
        }
        Ok(Ok(found)) => found,
        Ok(Err(error)) => Found::Unreadable(error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
        Err(error) if platform::is_exhausted(&error) => Found::Unseen(error),
        Err(error) => Found::Unreadable(error.to_string()),
    }
}

fn parse(bytes: &[u8]) -> serde_json::Result<Found> {
    match serde_json::from_slice::<Head>(bytes)?.format {
        newer if newer > FORMAT => Ok(Found::Newer(newer)),
        _ => serde_json::from_slice(bytes).map(|entry| Found::Entry(Box::new(entry))),
    }
}

/// The entries of this machine, youngest first; none if others could have written them.
///
/// # Errors
/// Why the directory, or a file in it, cannot be read: then it is not known what is there.
pub(super) fn read(directory: &Path) -> io::Result<Vec<Entry>> {
    let told = |error: io::Error| {
        let (directory, why) = (directory.display(), WithLimit(&error));
        let text = format!("the directory of servers '{directory}' cannot be read: {why}");
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

/// The entry of a server on this machine.
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

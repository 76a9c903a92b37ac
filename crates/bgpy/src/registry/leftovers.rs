//! Files in the directory that belong to no running server, and their removal.
//!
//! Only files that are certainly unused are removed. A starting server creates its lock, its socket
//! and a draft of its entry before the entry itself, so young files are left alone.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::directory::{DEBUG_SOCKET, ENDED, Registry};
use super::entry::Entry;
use super::files::{Found, examine, files, read};
use super::machine::Machine;
use crate::name::Name;
use crate::platform;

/// How long a starting server may take from its first file to its entry.
const START: Duration = Duration::from_secs(60);

/// A file that belongs to no server known to run.
#[derive(Debug, Clone)]
pub struct Leftover {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
}

/// The kind of a leftover file.
#[derive(Debug, Clone)]
pub enum Kind {
    /// The entry of a server whose process is gone.
    Dead(Box<Entry>),
    /// An entry that cannot be read, and why.
    Unreadable(String),
    /// An entry in a format newer than this version of bgpy.
    Newer(u32),
    /// An entry of another machine, or of an earlier boot of this one.
    Foreign(String),
    /// An entry whose writer died before it was moved into place.
    Draft,
    /// A socket that nothing listens on and no entry refers to.
    Socket,
    /// The lock of a name that no server has.
    Lock(Name),
}

impl Kind {
    /// Whether nothing can need the file any more.
    pub fn is_unused(&self) -> bool {
        matches!(self, Self::Dead(_) | Self::Draft | Self::Socket | Self::Lock(_))
    }
}

impl Registry {
    /// The files that belong to no server known to run. Changes nothing.
    #[doc(hidden)]
    pub fn leftovers(&self) -> Vec<Leftover> {
        if self.check().is_err() {
            return Vec::new();
        }
        let mut found = Vec::new();
        for directory in [self.directory.clone(), self.directory.join(ENDED)] {
            found.extend(files(&directory, "json").filter_map(entry));
            let drafts = files(&directory, "draft").filter(|path| is_old(path));
            found.extend(drafts.map(|path| Leftover { path, kind: Kind::Draft }));
        }
        let is_left = |path: &PathBuf| !path.with_extension("json").exists() && is_silent(path);
        let sockets = ["sock", DEBUG_SOCKET].into_iter().flat_map(|it| files(&self.directory, it));
        let sockets = sockets.filter(|path| is_old(path) && is_left(path));
        found.extend(sockets.map(|path| Leftover { path, kind: Kind::Socket }));
        found.extend(self.free_locks());
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    /// Removes a leftover, if it [is unused](Kind::is_unused) still.
    ///
    /// # Errors
    /// The system's error.
    #[doc(hidden)]
    pub fn clear(&self, leftover: &Leftover) -> io::Result<()> {
        match &leftover.kind {
            Kind::Dead(entry) => {
                self.mark_dead(&mut entry.as_ref().clone());
                Ok(())
            }
            // Removed only while holding the lock, so that no running server's file is removed.
            Kind::Lock(name) => {
                if let Some(claim) = self.claim(name)? {
                    claim.release();
                }
                Ok(())
            }
            Kind::Draft | Kind::Socket => fs::remove_file(&leftover.path),
            Kind::Unreadable(_) | Kind::Newer(_) | Kind::Foreign(_) => Ok(()),
        }
    }

    /// Locks that nobody holds. Locks of running servers and young locks are not tried: trying one
    /// could keep a server from its name for a moment.
    fn free_locks(&self) -> Vec<Leftover> {
        // Without knowing which servers run, no lock is tried.
        let Ok(mut running) = read(&self.directory) else { return Vec::new() };
        running.retain(Entry::has_process);
        let name = |path: &Path| path.file_stem()?.to_str()?.parse::<Name>().ok();
        files(&self.directory, "name")
            .filter(|path| is_old(path))
            .filter_map(|path| Some((name(&path)?, path)))
            .filter(|(name, _)| running.iter().all(|entry| entry.name.as_ref() != Some(name)))
            .filter(|(_, path)| is_free(path))
            .map(|(name, path)| Leftover { path, kind: Kind::Lock(name) })
            .collect()
    }
}

/// What a file is, unless it is the entry of a server that runs or whose end is recorded.
fn entry(path: PathBuf) -> Option<Leftover> {
    let kind = match examine(&path) {
        // It was removed meanwhile, or cannot be examined.
        Found::Nothing | Found::Unseen(_) => return None,
        Found::Unreadable(reason) => Kind::Unreadable(reason),
        Found::Newer(format) => Kind::Newer(format),
        Found::Entry(entry) => of_entry(*entry)?,
    };
    Some(Leftover { path, kind })
}

fn of_entry(entry: Entry) -> Option<Kind> {
    // The record of an ended server is still useful.
    if entry.ending.is_some() {
        return None;
    }
    if !Machine::own().may_be(&entry.machine) {
        return Some(Kind::Foreign(entry.machine));
    }
    (!entry.has_process()).then(|| Kind::Dead(Box::new(entry)))
}

/// Whether a file has not changed for longer than a server takes to start. A file of unknown age
/// counts as young.
fn is_old(path: &Path) -> bool {
    let changed = fs::symlink_metadata(path).and_then(|about| about.modified());
    let age = changed.ok().and_then(|changed| SystemTime::now().duration_since(changed).ok());
    age.is_some_and(|age| age > START)
}

/// Whether nothing listens on a socket.
fn is_silent(path: &Path) -> bool {
    let connected = platform::unix_socket::connect(path, Duration::from_millis(100));
    connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn is_free(path: &Path) -> bool {
    // Anything else, such as a FIFO, is not opened.
    if !path.symlink_metadata().is_ok_and(|about| about.is_file()) {
        return false;
    }
    let Ok(file) = File::open(path) else { return false };
    match file.try_lock() {
        // The lock is released when the file is closed.
        Ok(()) => true,
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::net::UnixListener;

    use bgpy_proto::Id;

    use super::super::entry::FORMAT;
    use super::*;

    struct World {
        _directory: tempfile::TempDir,
        registry: Registry,
    }

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let registry = Registry::at(directory.path().join("run"));
            registry.prepare().unwrap();
            Self { _directory: directory, registry }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.registry.directory().join(name)
        }

        fn kinds(&self) -> Vec<String> {
            let words = |left: Leftover| {
                let kind = format!("{:?}", left.kind);
                let end = kind.find(['(', ' ']).unwrap_or(kind.len());
                format!("{} {}", left.path.file_name().unwrap().display(), &kind[..end])
            };
            self.registry.leftovers().into_iter().map(words).collect()
        }

        fn clear(&self) {
            for left in self.registry.leftovers() {
                self.registry.clear(&left).unwrap();
            }
        }
    }

    fn new_entry() -> Entry {
        Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap())
    }

    /// Makes a file old enough to count.
    fn age(path: &Path) {
        let past = SystemTime::now() - START * 2;
        let times = fs::FileTimes::new().set_modified(past);
        File::open(path).unwrap().set_times(times).unwrap();
    }

    /// A socket cannot be opened, so its time cannot be set through a descriptor.
    fn age_socket(path: &Path) {
        use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
        let past = Timespec { tv_sec: 1, tv_nsec: 0 };
        let times = Timestamps { last_access: past, last_modification: past };
        utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }

    #[test]
    fn a_directory_in_order_has_none() {
        let world = World::new();
        let mut entry = new_entry();
        entry.name = Some("trainer".parse().unwrap());
        world.registry.put(&entry).unwrap();
        let claim = world.registry.claim(entry.name.as_ref().unwrap()).unwrap();
        let socket = world.path("0123.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        age_socket(&socket);
        world.registry.end(&mut new_entry(), super::super::Ending::now(true, "told to"));
        assert!(world.kinds().is_empty());
        drop((claim, listener));
    }

    #[test]
    fn what_is_unused_is_cleared_away() {
        let world = World::new();
        let mut dead = new_entry();
        (dead.instance, dead.process.pid) = ("dead".into(), u32::MAX);
        world.registry.put(&dead).unwrap();
        platform::private_directory(&world.path(ENDED)).unwrap();
        for name in ["a.draft", "ended/b.draft", "free.name"] {
            fs::write(world.path(name), "").unwrap();
            age(&world.path(name));
        }
        drop(UnixListener::bind(world.path("c.sock")).unwrap());
        age_socket(&world.path("c.sock"));
        let kinds =
            ["a.draft Draft", "c.sock Socket", "dead.json Dead", "b.draft Draft", "free.name Lock"];
        assert_eq!(world.kinds(), kinds);
        world.clear();
        assert!(world.kinds().is_empty());
        assert_eq!(world.registry.ended().unwrap().len(), 1);
        assert_eq!(fs::read_dir(world.registry.directory()).unwrap().count(), 1);
    }

    #[test]
    fn what_may_be_used_is_left() {
        let world = World::new();
        let mut newer = new_entry();
        (newer.instance, newer.format) = ("newer".into(), FORMAT + 1);
        let mut foreign = new_entry();
        (foreign.instance, foreign.machine) = ("foreign".into(), "another".into());
        world.registry.put(&newer).unwrap();
        world.registry.put(&foreign).unwrap();
        fs::write(world.path("torn.json"), "{\"format\": 1, \"inst").unwrap();
        let kinds = ["foreign.json Foreign", "newer.json Newer", "torn.json Unreadable"];
        assert_eq!(world.kinds(), kinds);
        world.clear();
        assert_eq!(world.kinds(), kinds);
    }

    #[test]
    fn what_a_server_that_starts_has_made_is_none() {
        let world = World::new();
        fs::write(world.path("a.draft"), "").unwrap();
        fs::write(world.path("free.name"), "").unwrap();
        drop(UnixListener::bind(world.path("c.sock")).unwrap());
        assert!(world.kinds().is_empty());
    }

    #[test]
    fn a_lock_that_is_held_is_none() {
        let world = World::new();
        let name = "trainer".parse().unwrap();
        let claim = world.registry.claim(&name).unwrap().expect("it is free");
        age(&world.path("trainer.name"));
        assert!(world.kinds().is_empty());
        drop(claim);
        assert_eq!(world.kinds(), ["trainer.name Lock"]);
    }
}

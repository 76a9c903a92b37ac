//! Noticing that files have changed.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

/// How long the files must be left alone before a change counts: editors and version control write
/// several files, or one in several steps.
const SETTLED: Duration = Duration::from_millis(100);

/// How often the list of files is renewed: more of them come into use.
const RENEW: Duration = Duration::from_secs(1);

/// A version of a file.
#[derive(Debug, Clone, Copy)]
struct Version {
    modified: SystemTime,
    bytes: u64,
    /// Of its content: a file that is only touched, or written as it was, has not changed.
    digest: u64,
}

/// Calls `changed` in a thread of its own each time that one of the files has changed, with its path,
/// until that returns `false`. `files` lists the files, some of which may come later; those that are
/// there count as changed if they were written after `since`.
///
/// # Errors
/// The system's, if it cannot watch files.
pub fn watch(
    files: impl Fn() -> Vec<PathBuf> + Send + 'static,
    since: SystemTime,
    mut changed: impl FnMut(&Path) -> bool + Send + 'static,
) -> io::Result<()> {
    let (sender, events) = channel();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // What the system could not tell is seen with the next event.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = sender.send(());
        }
    });
    let mut watched = Watched {
        watcher: watcher.map_err(io::Error::other)?,
        directories: HashSet::new(),
        versions: HashMap::new(),
    };
    watched.renew(files());
    for version in watched.versions.values_mut() {
        version.take_if(|version| version.modified > since);
    }
    let watch = move || {
        loop {
            if let Some(path) = watched.changed()
                && !changed(&path)
            {
                return;
            }
            watched.renew(files());
            if !next(&events) {
                return;
            }
        }
    };
    thread::Builder::new().name("bgpy-watch".into()).spawn(watch).map(drop)
}

/// Waits until something may have changed and has settled; `false` if nobody watches any more.
fn next(events: &Receiver<()>) -> bool {
    match events.recv_timeout(RENEW) {
        Ok(()) => {
            while events.recv_timeout(SETTLED).is_ok() {}
            true
        }
        Err(RecvTimeoutError::Timeout) => true,
        Err(RecvTimeoutError::Disconnected) => false,
    }
}

struct Watched {
    watcher: RecommendedWatcher,
    /// Directories are watched, because many editors replace a file by another.
    directories: HashSet<PathBuf>,
    /// `None` for a file that is not there.
    versions: HashMap<PathBuf, Option<Version>>,
}

impl Watched {
    fn renew(&mut self, files: Vec<PathBuf>) {
        for path in files {
            let place = path.parent().map(Path::to_path_buf).unwrap_or_default();
            if !self.directories.contains(&place)
                && self.watcher.watch(&place, RecursiveMode::NonRecursive).is_ok()
            {
                self.directories.insert(place);
            }
            self.versions.entry(path).or_insert_with_key(|path| Version::of(path).ok());
        }
    }

    /// A file that is another one than when it was last looked at. One that is gone is being written.
    fn changed(&mut self) -> Option<PathBuf> {
        let mut changed = None;
        for (path, known) in &mut self.versions {
            if known.is_some_and(|known| known.is_current(path)) {
                continue;
            }
            let Ok(now) = Version::of(path) else { continue };
            if known.replace(now).is_none_or(|known| known.digest != now.digest) {
                changed = Some(path.clone());
            }
        }
        changed
    }
}

impl Version {
    fn of(path: &Path) -> io::Result<Self> {
        // In this order: what is written in between is seen the next time.
        let about = fs::metadata(path)?;
        let mut hasher = DefaultHasher::new();
        fs::read(path)?.hash(&mut hasher);
        Ok(Self { modified: about.modified()?, bytes: about.len(), digest: hasher.finish() })
    }

    /// Whether the file has not been written since, as far as the system tells.
    fn is_current(self, path: &Path) -> bool {
        let modified = |about: fs::Metadata| about.modified().ok().zip(Some(about.len()));
        fs::metadata(path).ok().and_then(modified) == Some((self.modified, self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Watches two files in a directory, and tells which have changed.
    fn watched(directory: &Path) -> (PathBuf, PathBuf, Receiver<PathBuf>) {
        let (one, two) = (directory.join("one"), directory.join("two"));
        fs::write(&one, "1").unwrap();
        fs::write(&two, "2").unwrap();
        let (sender, told) = channel();
        let files = vec![one.clone(), two.clone(), directory.join("later/three")];
        let tell = move |path: &Path| sender.send(path.to_owned()).is_ok();
        watch(move || files.clone(), SystemTime::now(), tell).unwrap();
        (one, two, told)
    }

    #[test]
    fn what_is_written_replaced_or_new_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two, told) = watched(directory.path());
        let next = || told.recv_timeout(Duration::from_secs(30)).unwrap();
        // In one step: a file that is just being written is another one twice.
        let draft = directory.path().join("draft");
        let replace = |path: &Path, text: &str| {
            fs::write(&draft, text).unwrap();
            fs::rename(&draft, path).unwrap();
        };
        replace(&one, "another");
        assert_eq!(next(), one);
        replace(&two, "a replacement");
        assert_eq!(next(), two);
        // A file that is written as it was, one beside it, and one that goes away, are nothing.
        replace(&two, "a replacement");
        fs::write(&draft, "more").unwrap();
        fs::remove_file(&one).unwrap();
        let three = directory.path().join("later/three");
        fs::create_dir(three.parent().unwrap()).unwrap();
        replace(&three, "3");
        assert_eq!(next(), three);
    }

    #[test]
    fn what_was_written_before_it_was_watched_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("one");
        fs::write(&path, "1").unwrap();
        let (sender, told) = channel();
        let files = vec![path.clone()];
        let tell = move |path: &Path| sender.send(path.to_owned()).is_ok();
        watch(move || files.clone(), SystemTime::UNIX_EPOCH, tell).unwrap();
        assert_eq!(told.recv_timeout(Duration::from_secs(30)).unwrap(), path);
    }
}

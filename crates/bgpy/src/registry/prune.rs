//! How much is kept about servers that have ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::directory::{ENDED, Registry};
use super::files::{Found, examine, files};
use super::machine::Machine;

/// Number of ended servers whose entry and log are kept.
const KEPT: usize = 32;

impl Registry {
    /// Removes the oldest logs of ended servers, with their rotated files, and the oldest records.
    /// Files of processes that may still exist are kept.
    pub(crate) fn prune(&self) {
        let ended = self.directory.join(ENDED);
        // Entries are read for what is too much only: every start waits for this.
        for (instance, files) in excess(self.logs()) {
            let entry = ended.join(format!("{instance}.json"));
            if !entry.exists() || is_over(&entry) {
                files.iter().for_each(|path| drop(fs::remove_file(path)));
            }
        }
        let remembered = files(&ended, "json").map(|path| ((), vec![path]));
        for (_, entries) in excess(remembered) {
            entries
                .iter()
                .filter(|path| is_over(path))
                .for_each(|path| drop(fs::remove_file(path)));
        }
    }

    /// The logs of servers that accept no more calls, with their rotated files, by instance. Logs that users have
    /// put here are not among them.
    fn logs(&self) -> BTreeMap<String, Vec<PathBuf>> {
        let mut logs: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        let all = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        for path in all.map(|file| file.path()) {
            if let Some(instance) = path.file_name().and_then(|name| instance_of(name.to_str()?)) {
                logs.entry(instance.to_owned()).or_default().push(path);
            }
        }
        logs.retain(|instance, _| !self.directory.join(format!("{instance}.json")).exists());
        logs
    }
}

/// The instance whose log a file is, rotated or not.
fn instance_of(name: &str) -> Option<&str> {
    let (instance, rest) = name.split_once('.')?;
    let is_log = match rest.strip_prefix("log")? {
        "" | ".next" => true,
        age => age.strip_prefix('.').is_some_and(|age| age.parse::<u32>().is_ok()),
    };
    let is_id = instance.len() == 16 && instance.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_log && is_id).then_some(instance)
}

/// The oldest groups of files beyond the limit. A group is as old as its youngest file.
fn excess<T>(groups: impl IntoIterator<Item = (T, Vec<PathBuf>)>) -> Vec<(T, Vec<PathBuf>)> {
    let mut groups: Vec<_> = groups.into_iter().collect();
    let Some(excess @ 1..) = groups.len().checked_sub(KEPT) else { return Vec::new() };
    let changed = |path: &PathBuf| fs::metadata(path).and_then(|about| about.modified()).ok();
    groups.sort_by_cached_key(|(_, files)| files.iter().filter_map(changed).max());
    groups.truncate(excess);
    groups
}

/// Whether a server that accepts no more calls is gone, as far as its entry can be read.
fn is_over(path: &Path) -> bool {
    let entry = match examine(path) {
        Found::Entry(entry) => entry,
        Found::Unseen(_) => return false,
        Found::Newer(_) | Found::Unreadable(_) | Found::Nothing => return true,
    };
    if !Machine::own().may_be(&entry.machine) {
        // Its process cannot be judged from here.
        return entry.ending.is_some();
    }
    entry.is_over() || !entry.has_process()
}

#[cfg(test)]
mod tests {
    use bgpy_proto::Id;

    use super::super::{Ending, Entry};
    use super::*;

    fn registry() -> (tempfile::TempDir, Registry) {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("run"));
        registry.prepare().unwrap();
        (directory, registry)
    }

    fn rotated(registry: &Registry, id: Id) -> [PathBuf; 3] {
        let log = registry.log_path(id);
        ["log", "log.1", "log.5"].map(|extension| log.with_extension(extension))
    }

    fn end_one(registry: &Registry, owns_process: bool) -> Id {
        let id = Id::random();
        rotated(registry, id).iter().for_each(|path| fs::write(path, "").unwrap());
        let mut entry = Entry::new(id, "h", "127.0.0.1:1".parse().unwrap());
        entry.owns_process = owns_process;
        registry.end(&mut entry, Ending::now(true, "told to"));
        id
    }

    #[test]
    fn little_is_kept_of_what_has_ended() {
        let (_directory, registry) = registry();
        for _ in 0..KEPT + 5 {
            end_one(&registry, false);
        }
        registry.prune();
        let count = |end: &str| {
            let all = fs::read_dir(registry.directory()).unwrap();
            all.filter(|file| file.as_ref().unwrap().path().to_str().unwrap().ends_with(end))
                .count()
        };
        assert_eq!([".log", ".log.1", ".log.5"].map(count), [KEPT; 3]);
        assert_eq!(registry.ended().unwrap().len(), KEPT);
    }

    #[test]
    fn what_may_be_in_use_is_kept() {
        let (_directory, registry) = registry();
        let lingering = end_one(&registry, true);
        let own = registry.directory().join("mine.log");
        fs::write(&own, "").unwrap();
        let running = Id::random();
        fs::write(registry.log_path(running), "").unwrap();
        registry.put(&Entry::new(running, "h", "127.0.0.1:1".parse().unwrap())).unwrap();
        for _ in 0..KEPT + 5 {
            end_one(&registry, false);
        }
        registry.prune();
        assert!(rotated(&registry, lingering).iter().all(|path| path.exists()));
        assert!(registry.ended_entry(&lingering.to_string()).is_some());
        assert!(own.exists() && registry.log_path(running).exists());
    }

    #[test]
    fn rotated_logs_whose_log_is_gone_are_pruned_too() {
        let (_directory, registry) = registry();
        for number in 0..KEPT + 5 {
            fs::write(registry.directory().join(format!("{number:016x}.log.2")), "").unwrap();
        }
        registry.prune();
        assert_eq!(fs::read_dir(registry.directory()).unwrap().count(), KEPT);
    }
}

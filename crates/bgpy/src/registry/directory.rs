//! The directory of the registry.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use bgpy_proto::Id;

use super::entry::{Ending, Entry};
use super::files::{Found, examine, file_name, files, read, read_one, short, socket_name, vacate};
use super::write::{check_room, stamp, write};
use crate::clock::now_ms;
use crate::config::{Config, Launch};
use crate::name::Name;
use crate::platform::{self, unix_socket};
use crate::target::Target;

/// The environment variable that sets the directory.
pub const DIRECTORY_VARIABLE: &str = "BGPY_RUNTIME_DIR";

/// The longest path of a Unix socket that every system accepts, in bytes; the limit is 108 on Linux
/// and 104 on macOS, including the final zero.
const SOCKET_PATH_BYTES_MAX: usize = 103;

/// The directory with entries of servers that accept no more calls.
pub(super) const ENDED: &str = "ended";

/// The extension of the socket by which a server that accepts no more calls can be looked into.
pub(super) const DEBUG_SOCKET: &str = "stop";

/// The directory of the servers' entries, sockets and logs.
#[derive(Debug, Clone)]
pub struct Registry {
    pub(super) directory: PathBuf,
}

impl Registry {
    /// This user's registry, whether or not its directory exists.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if the environment gives no place for it.
    pub fn of_user() -> io::Result<Self> {
        let named = std::env::var_os(DIRECTORY_VARIABLE).filter(|path| !path.is_empty());
        let directory =
            named.map(PathBuf::from).or_else(platform::runtime_directory).ok_or_else(|| {
                let text = format!("this user has no home directory; set {DIRECTORY_VARIABLE}");
                io::Error::new(io::ErrorKind::NotFound, text)
            })?;
        Ok(Self { directory: std::path::absolute(directory)? })
    }

    /// Other places where this user's servers may be found: those of bgpy 1.0 and earlier.
    #[doc(hidden)]
    pub fn former(&self) -> Vec<Self> {
        let places = platform::former_directories().into_iter().map(Self::at);
        places.filter(|place| place.directory != self.directory).collect()
    }

    /// Whether the system deletes the directory when its user logs out.
    #[doc(hidden)]
    pub fn ends_with_login(&self) -> bool {
        platform::ends_with_login(&self.directory)
    }

    /// The registry in a directory.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Prepares the directory for writing.
    ///
    /// # Errors
    /// If it cannot be created, or others can enter it.
    #[doc(hidden)]
    pub fn prepare(&self) -> io::Result<()> {
        platform::private_directory(&self.directory)
    }

    /// Checks that the directory exists and that nobody else can enter it.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] if others can, else the system's error.
    #[doc(hidden)]
    pub fn check(&self) -> io::Result<()> {
        platform::check_private(&self.directory)
    }

    /// Checks that the contents of the directory can be trusted: nobody else can have written them.
    /// A missing directory is empty.
    ///
    /// # Errors
    /// As for [`check`](Self::check), worded for users that look for servers.
    #[doc(hidden)]
    pub fn trust(&self) -> io::Result<()> {
        match self.check() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let directory = self.directory.display();
                let text = format!(
                    "the registry '{directory}' cannot be trusted: {error}. Look as the user \
                     whose servers they are, or set {DIRECTORY_VARIABLE} to a directory of yours \
                     with mode 700"
                );
                Err(io::Error::new(error.kind(), text))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Something in the place of an entry; if its server runs, it restores the entry.
    pub(crate) fn unreadable(&self) -> Option<PathBuf> {
        self.check().ok()?;
        files(&self.directory, "json").find(|path| matches!(examine(path), Found::Unreadable(_)))
    }

    /// Whether the directory's path is short enough for Unix sockets in it.
    #[doc(hidden)]
    pub fn has_room_for_sockets(&self) -> bool {
        self.socket_path(Id::random()).is_some()
    }

    /// The path for the Unix socket of a server; `None` if it would be too long.
    pub(crate) fn socket_path(&self, instance: Id) -> Option<PathBuf> {
        let path = self.directory.join(socket_name(&instance.to_string()));
        (path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX).then_some(path)
    }

    /// The path of the socket by which a server can be looked into once it accepts no more calls: no
    /// longer than that of its socket, so that there is room for it.
    pub(crate) fn debug_socket_path(socket: &Path) -> PathBuf {
        socket.with_extension(DEBUG_SOCKET)
    }

    /// The path of a server's Unix socket, if it had one; its entry no longer says so after its
    /// end.
    pub(crate) fn socket_path_of(&self, entry: &Entry) -> PathBuf {
        self.directory.join(socket_name(&entry.instance))
    }

    /// A target that means the server of an entry and never another one, also once it accepts no
    /// more calls; `None` if it has no Unix socket.
    #[doc(hidden)]
    pub fn own_target(&self, entry: &Entry) -> Option<Target> {
        let has_socket =
            unix_socket::EXIST && (entry.socket.is_some() || entry.retired_ms.is_some());
        has_socket.then(|| Target::Socket(self.socket_path_of(entry)))
    }

    /// The default log file of a server.
    #[doc(hidden)]
    pub fn log_path(&self, instance: Id) -> PathBuf {
        self.directory.join(format!("{}.log", short(&instance.to_string())))
    }

    /// Checks that an entry can be written.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn check_room(&self) -> io::Result<()> {
        self.prepare()?;
        check_room(&self.directory)
    }

    /// The log file, if the user has chosen one; `None` for the default place.
    #[doc(hidden)]
    pub fn chosen_log_file<'c>(&self, config: &'c Config) -> Option<&'c Path> {
        let default = self.log_path(config.id());
        config.log_file.as_deref().filter(|path| **path != *default)
    }

    /// Writes the entry of a server that accepts calls, and returns the stamp of the new file. Readers
    /// see all of it or nothing.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn put(&self, entry: &Entry) -> io::Result<platform::Stamp> {
        write(&self.directory, entry)
    }

    /// The stamp of a running server's entry; `None` if it is proven that the path does not hold
    /// the entry as written.
    ///
    /// # Errors
    /// Why the file cannot be examined.
    pub(crate) fn stamp(
        &self,
        entry: &Entry,
        written: &platform::Stamp,
    ) -> io::Result<Option<platform::Stamp>> {
        stamp(&self.entry_path(entry), entry, written)
    }

    /// Whether the path of an entry holds one that an earlier process of the same server, or the
    /// supervisor since then, has written.
    pub(crate) fn has_earlier(&self, entry: &Entry) -> bool {
        let found = read_one(&self.directory, &entry.instance);
        found.is_some_and(|found| found.generation < entry.generation)
    }

    /// The path for the entry of a server that accepts calls.
    pub(crate) fn entry_path(&self, entry: &Entry) -> PathBuf {
        self.directory.join(file_name(entry))
    }

    /// Removes the entry of a server and its socket.
    pub(crate) fn remove(&self, entry: &Entry) {
        // Files that cannot be removed do no harm: no other server has files of these names.
        drop(vacate(&self.entry_path(entry)));
        for socket in entry.socket.iter().chain(&entry.debug_socket) {
            drop(vacate(socket));
        }
    }

    /// Removes the entry and the sockets of a server that accepts no more calls, and keeps a record
    /// among the ended servers. If it listens for those who want to look into it, on `debug_socket`,
    /// they find its token there.
    pub(crate) fn retire(&self, entry: &mut Entry, debug_socket: Option<PathBuf>) {
        let known = entry.clone();
        entry.socket = None;
        entry.debug_socket = debug_socket;
        if entry.debug_socket.is_none() {
            entry.token = None;
        }
        let launch = entry.config.as_mut().and_then(|config| config.launch.as_mut());
        launch.into_iter().for_each(Launch::forget_values);
        entry.retired_ms = entry.retired_ms.or_else(|| Some(now_ms()));
        let directory = self.directory.join(ENDED);
        // The record is written before the entry is removed, so that readers find the server in at
        // least one of the two places. If nothing can be written, there is no record.
        drop(platform::private_directory(&directory).and_then(|()| write(&directory, entry)));
        self.remove(&known);
    }

    /// Records how a server ended.
    pub(crate) fn end(&self, entry: &mut Entry, ending: Ending) {
        entry.ending.get_or_insert(ending);
        self.retire(entry, None);
    }

    /// Records the end of a server whose process has disappeared without doing so; returns whether
    /// it has disappeared.
    pub(crate) fn mark_dead(&self, entry: &mut Entry) -> bool {
        if entry.has_process() {
            return false;
        }
        match self.ended_entry(&entry.instance).filter(|known| known.ending.is_some()) {
            // The end was recorded after the entry was read.
            Some(known) => {
                self.remove(entry);
                *entry = known;
            }
            None => {
                let reason = "its process is gone, and its exit status is unknown";
                self.end(entry, Ending::now(false, reason));
            }
        }
        true
    }

    /// Records the exit status of a server's process, as its parent saw it, and why it is not
    /// restarted, unless the server itself has recorded its end.
    pub(crate) fn note_exit(&self, instance: &str, status: ExitStatus, reason: Option<&str>) {
        let Some(mut entry) = self.entry(instance) else { return };
        let reason = reason.unwrap_or_else(|| platform::why_ended(status));
        entry.ending.get_or_insert_with(|| Ending::now(false, reason)).see(status);
        self.retire(&mut entry, None);
    }

    /// The entries of servers on this machine that accept calls or died while they did, youngest
    /// first. None if others could have written them.
    ///
    /// # Errors
    /// Why they are not known: for example, this process is out of descriptors.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        read(&self.directory)
    }

    /// The entries of servers that have ended or are stopping, youngest first.
    ///
    /// # Errors
    /// As for [`entries`](Self::entries).
    pub fn ended(&self) -> io::Result<Vec<Entry>> {
        read(&self.directory.join(ENDED))
    }

    /// The entry of a server that accepts calls or died while it did, else its record among the
    /// ended servers.
    pub fn entry(&self, instance: &str) -> Option<Entry> {
        read_one(&self.directory, instance).or_else(|| self.ended_entry(instance))
    }

    /// The record of a server that accepts no more calls.
    #[doc(hidden)]
    pub fn ended_entry(&self, instance: &str) -> Option<Entry> {
        read_one(&self.directory.join(ENDED), instance)
    }

    /// The entries of servers with this name that accept calls or died while they did, youngest
    /// first.
    ///
    /// # Errors
    /// As for [`entries`](Self::entries).
    pub fn named(&self, name: &Name) -> io::Result<Vec<Entry>> {
        let mut entries = self.entries()?;
        entries.retain(|entry| entry.name.as_ref() == Some(name));
        Ok(entries)
    }

    /// Servers with this name that have ended but whose process provably still exists.
    pub(crate) fn lingering(&self, name: &Name) -> io::Result<Vec<Entry>> {
        let mut entries = self.ended()?;
        entries.retain(|entry| entry.name.as_ref() == Some(name) && entry.lingers());
        Ok(entries)
    }

    /// The entries of servers on this machine that listen on one of these addresses.
    ///
    /// # Errors
    /// As for [`entries`](Self::entries).
    pub fn find(&self, addresses: &[SocketAddr]) -> io::Result<Vec<Entry>> {
        let mut entries = self.entries()?;
        entries.retain(|entry| addresses.iter().any(|address| entry.serves(*address)));
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::entry::FORMAT;
    use super::*;
    use crate::platform::ProcessId;

    fn registry() -> (tempfile::TempDir, Registry) {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("run"));
        registry.prepare().unwrap();
        (directory, registry)
    }

    #[test]
    fn entries_are_found_by_address_and_removed() {
        let (_directory, registry) = registry();
        let mut entry = Entry::new(Id::random(), "0.0.0.0", "0.0.0.0:4000".parse().unwrap());
        entry.token = Some("secret".into());
        registry.put(&entry).unwrap();
        let find = |address: &str| registry.find(&[address.parse().unwrap()]).unwrap().len();
        assert_eq!(find("127.0.0.1:4000"), 1);
        assert_eq!(find("127.0.0.1:4001"), 0);
        assert_eq!(find("192.0.2.1:4000"), 0);
        registry.end(&mut entry, Ending::now(true, "told to"));
        assert_eq!(find("127.0.0.1:4000"), 0);
        let [ended] = &registry.ended().unwrap()[..] else { panic!("it is remembered") };
        assert_eq!((&ended.ending, &ended.token), (&entry.ending, &None));
    }

    #[test]
    fn torn_and_foreign_entries_are_skipped() {
        let (_directory, registry) = registry();
        let mut entry = Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap());
        entry.format = FORMAT + 1;
        registry.put(&entry).unwrap();
        fs::write(registry.directory().join("torn.json"), "{\"format\": 1, \"inst").unwrap();
        fs::write(registry.directory().join("empty.json"), "").unwrap();
        assert!(registry.entries().unwrap().is_empty());
    }

    #[test]
    fn entries_of_other_machines_are_left_alone() {
        let (_directory, registry) = registry();
        let mut entry = Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap());
        entry.machine = "another".into();
        registry.put(&entry).unwrap();
        assert!(registry.entries().unwrap().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_others_enter_is_not_believed() {
        use std::os::unix::fs::PermissionsExt;
        let (_directory, registry) = registry();
        registry.put(&Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap())).unwrap();
        assert_eq!(registry.entries().unwrap().len(), 1);
        fs::set_permissions(registry.directory(), fs::Permissions::from_mode(0o770)).unwrap();
        assert!(registry.entries().unwrap().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_a_token() {
        use std::os::unix::fs::PermissionsExt;
        let (_directory, registry) = registry();
        let entry = Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap());
        registry.put(&entry).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(registry.directory()), 0o700);
        assert_eq!(mode(&registry.directory().join(file_name(&entry))), 0o600);
        fs::set_permissions(registry.directory(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(registry.prepare().is_err());
    }

    #[test]
    fn a_path_too_long_for_a_socket_gives_none() {
        let deep = Registry::at(format!("/{}", "x".repeat(120)));
        assert_eq!(deep.socket_path(Id::random()), None);
        assert!(!deep.has_room_for_sockets() && Registry::at("/run").has_room_for_sockets());
    }

    #[test]
    fn a_server_is_over_when_its_process_is() {
        let mut entry = Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap());
        assert!(entry.has_process() && !entry.is_over());
        entry.ending = Some(Ending::now(true, "told to"));
        assert!(entry.is_over(), "a script may go on");
        entry.owns_process = true;
        assert!(!entry.is_over());
        entry.process.start = entry.process.start.map(|start| start + 1);
        assert_eq!(entry.is_over(), entry.process.start.is_some());
        entry.supervisor = Some(ProcessId::own());
        assert!(entry.has_process());
    }

    #[test]
    fn what_cannot_be_proven_gone_is_not_buried() {
        let (_directory, registry) = registry();
        let mut entry = Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap());
        entry.process.pid = u32::MAX;
        entry.process.namespace = Some("elsewhere".into());
        registry.put(&entry).unwrap();
        assert!(!registry.mark_dead(&mut entry));
        assert_eq!(registry.entries().unwrap().len(), 1);
        entry.process.namespace = ProcessId::own().namespace;
        let is_provable = platform::process_start(u32::MAX).is_ok();
        assert_eq!(registry.mark_dead(&mut entry), is_provable);
    }
}

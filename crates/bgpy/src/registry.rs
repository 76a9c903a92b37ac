//! How processes of one user find their servers: a private directory with one entry a server.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use bgpy_proto::{Id, Token};
use serde::{Deserialize, Serialize};

use crate::{os_path, platform};

/// The environment variable that names the directory.
pub const DIRECTORY_VARIABLE: &str = "BGPY_RUNTIME_DIR";

/// Longest path of a Unix socket that every system takes, in bytes; Linux has 108 with the zero
/// that ends it, macOS 104.
const SOCKET_PATH_BYTES_MAX: usize = 103;

/// Logs of servers that have ended which are kept.
const LOGS_KEPT: usize = 32;

/// The directory of the servers' entries, sockets and logs.
#[derive(Debug, Clone)]
pub struct Registry {
    directory: PathBuf,
}

/// What a server leaves for those who look for it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Version of this format.
    pub format: u32,
    /// The server's instance id, in hexadecimal digits.
    pub instance: String,
    /// The machine, since its last start.
    pub machine: String,
    /// Process id.
    pub pid: u32,
    /// Host as the server's user wrote it.
    pub host: String,
    /// Address that it listens on.
    pub address: SocketAddr,
    /// Its Unix socket.
    #[serde(with = "os_path")]
    pub socket: Option<PathBuf>,
    /// Its token; none when it takes everybody.
    pub token: Option<String>,
    /// Where it logs.
    #[serde(with = "os_path")]
    pub log_file: Option<PathBuf>,
    /// Version of bgpy.
    pub bgpy: String,
    /// Version of Python, when it runs one.
    pub python: Option<String>,
    /// Start, in milliseconds since 1970 UTC.
    pub started_ms: i64,
}

const FORMAT: u32 = 1;

impl Registry {
    /// The registry of this user, whether or not its directory exists.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when the environment names no place for it.
    pub fn of_user() -> io::Result<Self> {
        let named = std::env::var_os(DIRECTORY_VARIABLE).filter(|path| !path.is_empty());
        let directory =
            named.map(PathBuf::from).or_else(platform::runtime_directory).ok_or_else(|| {
                let text = format!("no home directory; set {DIRECTORY_VARIABLE}");
                io::Error::new(io::ErrorKind::NotFound, text)
            })?;
        Ok(Self { directory: std::path::absolute(directory)? })
    }

    /// The registry in a directory.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes the directory ready for writing.
    ///
    /// # Errors
    /// When it cannot be created, or others can enter it.
    pub fn prepare(&self) -> io::Result<()> {
        platform::private_directory(&self.directory)
    }

    /// Where the Unix socket of a server belongs; `None` where the path would be too long.
    pub fn socket_path(&self, instance: Id) -> Option<PathBuf> {
        let path = self.directory.join(format!("{}.sock", short(instance)));
        (path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX).then_some(path)
    }

    /// Where a server logs that was told no place.
    pub fn log_path(&self, instance: Id) -> PathBuf {
        self.directory.join(format!("{}.log", short(instance)))
    }

    /// Writes an entry; readers see all of it or nothing.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn add(&self, entry: &Entry) -> io::Result<()> {
        let path = self.entry_path(entry);
        let draft = path.with_extension("draft");
        let text = serde_json::to_string_pretty(entry).map_err(io::Error::other)?;
        let mut file =
            platform::private_file().write(true).create(true).truncate(true).open(&draft)?;
        file.write_all(text.as_bytes())?;
        fs::rename(draft, path)
    }

    /// Removes an entry and its socket.
    pub fn remove(&self, entry: &Entry) {
        // What is gone already is as it should be.
        drop(fs::remove_file(self.entry_path(entry)));
        if let Some(socket) = &entry.socket {
            drop(fs::remove_file(socket));
        }
    }

    /// The entries of this machine that can be read, youngest first. They may be of servers that
    /// have died. Nothing is believed that others could have written.
    pub fn entries(&self) -> Vec<Entry> {
        if platform::check_private(&self.directory).is_err() {
            return Vec::new();
        }
        let machine = platform::machine();
        let Ok(files) = fs::read_dir(&self.directory) else { return Vec::new() };
        let mut entries: Vec<Entry> = files
            .filter_map(|file| Some(file.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .filter_map(|path| serde_json::from_slice(&fs::read(path).ok()?).ok())
            .filter(|entry: &Entry| entry.format == FORMAT && entry.machine == machine)
            .collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.started_ms));
        entries
    }

    /// The entries of servers on this machine that listen on one of these addresses.
    pub fn find(&self, addresses: &[SocketAddr]) -> Vec<Entry> {
        let mut entries = self.entries();
        entries.retain(|entry| addresses.iter().any(|address| entry.serves(*address)));
        entries
    }

    /// Removes the oldest logs of servers that have no entry any more.
    pub fn prune_logs(&self) {
        let Ok(files) = fs::read_dir(&self.directory) else { return };
        let mut logs: Vec<_> = files
            .filter_map(|file| Some(file.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .filter(|path| !path.with_extension("json").exists())
            .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
            .collect();
        logs.sort();
        let excess = logs.len().saturating_sub(LOGS_KEPT);
        for (_, path) in &logs[..excess] {
            drop(fs::remove_file(path));
        }
    }

    fn entry_path(&self, entry: &Entry) -> PathBuf {
        let name = entry.instance.get(..16).unwrap_or(&entry.instance);
        self.directory.join(format!("{name}.json"))
    }
}

impl Entry {
    /// An entry for a server that listens on `address`.
    pub fn new(instance: Id, host: &str, address: SocketAddr) -> Self {
        Self {
            format: FORMAT,
            instance: instance.to_string(),
            machine: platform::machine(),
            pid: std::process::id(),
            host: host.to_owned(),
            address,
            socket: None,
            token: None,
            log_file: None,
            bgpy: crate::VERSION.to_owned(),
            python: None,
            started_ms: jiff::Timestamp::now().as_millisecond(),
        }
    }

    /// The token as a secret.
    pub fn token(&self) -> Option<Token> {
        self.token.as_deref().map(Token::new)
    }

    /// Whether a client that connects to `address` on this machine would reach this server.
    fn serves(&self, address: SocketAddr) -> bool {
        let (here, there) = (self.address.ip(), address.ip());
        self.address.port() == address.port()
            && (here == there || (here.is_unspecified() && is_of_this_machine(there)))
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("instance", &self.instance)
            .field("pid", &self.pid)
            .field("address", &self.address)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

/// Whether an address is one of this machine's: others cannot be bound to.
fn is_of_this_machine(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}

/// The first 16 digits of an id: unique enough for a file name, and short for a socket's path.
fn short(instance: Id) -> String {
    let mut name = instance.to_string();
    name.truncate(16);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> (tempfile::TempDir, Registry) {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("run"));
        registry.prepare().unwrap();
        (directory, registry)
    }

    #[test]
    fn entries_are_found_by_address_and_removed() {
        let (_directory, registry) = registry();
        let entry = Entry::new(Id::random(), "0.0.0.0", "0.0.0.0:4000".parse().unwrap());
        registry.add(&entry).unwrap();
        let find = |address: &str| registry.find(&[address.parse().unwrap()]).len();
        assert_eq!(find("127.0.0.1:4000"), 1);
        assert_eq!(find("127.0.0.1:4001"), 0);
        assert_eq!(find("192.0.2.1:4000"), 0);
        registry.remove(&entry);
        assert_eq!(find("127.0.0.1:4000"), 0);
    }

    #[test]
    fn torn_and_foreign_entries_are_skipped() {
        let (_directory, registry) = registry();
        let mut entry = Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap());
        entry.format = FORMAT + 1;
        registry.add(&entry).unwrap();
        fs::write(registry.directory().join("torn.json"), "{\"format\": 1, \"inst").unwrap();
        fs::write(registry.directory().join("empty.json"), "").unwrap();
        assert!(registry.entries().is_empty());
    }

    #[test]
    fn entries_of_other_machines_are_left_alone() {
        let (_directory, registry) = registry();
        let mut entry = Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap());
        entry.machine = "another".into();
        registry.add(&entry).unwrap();
        assert!(registry.entries().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_others_enter_is_not_believed() {
        use std::os::unix::fs::PermissionsExt;
        let (_directory, registry) = registry();
        registry.add(&Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap())).unwrap();
        assert_eq!(registry.entries().len(), 1);
        fs::set_permissions(registry.directory(), fs::Permissions::from_mode(0o770)).unwrap();
        assert!(registry.entries().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_a_token() {
        use std::os::unix::fs::PermissionsExt;
        let (_directory, registry) = registry();
        let entry = Entry::new(Id::random(), "h", "127.0.0.1:1".parse().unwrap());
        registry.add(&entry).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(registry.directory()), 0o700);
        assert_eq!(mode(&registry.entry_path(&entry)), 0o600);
        fs::set_permissions(registry.directory(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(registry.prepare().is_err());
    }

    #[test]
    fn a_path_too_long_for_a_socket_gives_none() {
        let deep = Registry::at(format!("/{}", "x".repeat(120)));
        assert_eq!(deep.socket_path(Id::random()), None);
    }

    #[test]
    fn old_logs_are_pruned() {
        let (_directory, registry) = registry();
        for _ in 0..LOGS_KEPT + 5 {
            fs::write(registry.log_path(Id::random()), "").unwrap();
        }
        registry.prune_logs();
        assert_eq!(fs::read_dir(registry.directory()).unwrap().count(), LOGS_KEPT);
    }
}

//! A server's entry in the registry, and the other files by which clients find it.

pub(super) mod file_check;
mod restore;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::log::Log;
use crate::name::Name;
use crate::platform::{self, Private, Stamp};
use crate::registry::{Claim, Ending, Entry, Registry, vacate};
use crate::server::supervisor_pipe::SupervisorPipe;

/// A file that must stay in place.
#[derive(Debug)]
pub(crate) struct RegisteredFile {
    pub(crate) path: PathBuf,
    /// Identifies the file; `None` if any file at the path will do.
    pub(crate) stamp: Option<Stamp>,
}

impl RegisteredFile {
    pub(crate) fn is_in_place(&self) -> bool {
        match Stamp::at(&self.path) {
            Ok(found) => self.stamp.is_none_or(|stamp| stamp == found),
            // A file that cannot be examined cannot be restored either.
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }
}

/// A server's entry, and its claim on the name.
#[derive(Debug)]
pub(crate) struct Registration {
    /// `None` if there is no entry, or if the entry belongs to another process.
    registry: Option<Registry>,
    entry: Entry,
    /// Stamp of the entry file as last written; `None` if it could not be written yet, so that the
    /// entry of an earlier process may be there.
    written: Option<Stamp>,
    /// Stamps that tell entry and socket from anything put in their place. The default matches no
    /// file, which forces a closer look.
    entry_stamp: Stamp,
    socket_stamp: Stamp,
    claim: Option<Private<Claim>>,
    /// To the supervisor, if it keeps the listeners.
    supervisor: Option<Private<SupervisorPipe>>,
    /// Whether a file could not be restored.
    pub(crate) has_trouble: bool,
}

impl Registration {
    pub(crate) fn new(
        registry: Option<Registry>,
        entry: Entry,
        written: Option<Stamp>,
        socket_stamp: Stamp,
        claim: Option<Claim>,
        supervisor: Option<SupervisorPipe>,
    ) -> Self {
        let (claim, supervisor) = (claim.map(Private::new), supervisor.map(Private::new));
        // A failure to write the entry is already in the log.
        let (entry_stamp, has_trouble) = (Stamp::default(), written.is_none());
        Self { registry, entry, written, entry_stamp, socket_stamp, claim, supervisor, has_trouble }
    }

    /// The files by which clients find the server.
    pub(crate) fn files(&self) -> Vec<RegisteredFile> {
        let Entry { socket, log_file, .. } = &self.entry;
        let kept = |path, stamp| RegisteredFile { path, stamp };
        let entry = self.registry.as_ref().map(|registry| registry.entry_path(&self.entry));
        let entry = entry.map(|path| kept(path, Some(self.entry_stamp)));
        let name = self.claim.as_ref();
        let name = name.map(|claim| kept(claim.path().to_owned(), Some(claim.stamp())));
        let socket = socket.clone().map(|path| kept(path, Some(self.socket_stamp)));
        // A log may be a symbolic link, or a file shared by several servers.
        let log = log_file.clone().map(|path| kept(path, None));
        [entry, name, socket, log].into_iter().flatten().collect()
    }

    /// Restores what others have removed or replaced: the directory, the entry, the file of the
    /// name, and the socket, for which `listen` opens a new listener. A failure with one does not
    /// prevent the others. Removes only what was seen to be something else, and only when there is
    /// a replacement.
    ///
    /// # Errors
    /// Why one of them cannot be restored.
    pub(crate) fn restore(
        &mut self,
        log: &Log,
        listen: impl FnOnce(&Path) -> io::Result<Stamp>,
    ) -> io::Result<()> {
        let Some(registry) = &self.registry else { return Ok(()) };
        let directory = registry.directory().display();
        registry.prepare().map_err(|error| {
            io::Error::new(error.kind(), format!("the directory '{directory}': {error}"))
        })?;
        let (entry, written) = (&self.entry, self.written.as_ref());
        let found = written.map_or(Ok(None), |written| registry.stamp(entry, written));
        let entry = match found {
            Ok(Some(stamp)) => {
                self.entry_stamp = stamp;
                Ok(())
            }
            // Its stamp is taken at the next check, after the entry was read once more.
            Ok(None) => put_back(registry, entry, written.is_some(), log)
                .map(|written| self.written = Some(written)),
            // What cannot be examined may be the entry.
            Err(error) => Err(error),
        };
        let renewed = self.claim.as_ref().map_or(Ok(None), |claim| claim.renewed());
        let name = renewed.map(|renewed| {
            if let Some(claim) = renewed {
                self.claim = Some(Private::new(claim));
            }
        });
        entry.and(name).and(self.restore_socket(log, listen))
    }

    fn restore_socket(
        &mut self,
        log: &Log,
        listen: impl FnOnce(&Path) -> io::Result<Stamp>,
    ) -> io::Result<()> {
        let Some(path) = &self.entry.socket else { return Ok(()) };
        if Stamp::of_any(path)? != Some(self.socket_stamp) {
            self.socket_stamp = replace(path, "socket", log, || listen(path))?;
        }
        Ok(())
    }

    /// The server's name.
    pub(crate) fn name(&self) -> Option<&Name> {
        self.entry.name.as_ref()
    }

    /// The address that the server listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.entry.address
    }

    /// Releases address and name, because no more calls are accepted: a successor can take over.
    /// `listen` opens a socket at a path, for those who want to look into the server until it has
    /// ended.
    pub(crate) fn retire(&mut self, listen: impl FnOnce(&Path) -> io::Result<()>) {
        if let Some(registry) = &self.registry {
            let path = self.entry.socket.as_deref().map(Registry::debug_socket_path);
            let socket = path.filter(|path| self.entry.ending.is_none() && listen(path).is_ok());
            registry.retire(&mut self.entry, socket);
        }
        self.release();
    }

    /// Records how the server ended; the first ending counts.
    pub(crate) fn end(&mut self, ending: Ending) {
        if let Some(registry) = &self.registry {
            registry.end(&mut self.entry, ending);
        }
        self.release();
    }

    /// Records that the server could not continue. A supervisor that keeps the listeners gets the
    /// reason, and restarts the server or records the end itself.
    pub(crate) fn fail(&mut self, ending: Ending) {
        match &mut self.supervisor {
            Some(supervisor) => {
                if supervisor.is_intact() {
                    supervisor.fail(&ending.reason);
                }
                self.abandon();
            }
            None => self.end(ending),
        }
    }

    fn release(&mut self) {
        if let Some(claim) = self.claim.take() {
            claim.into_inner().release();
        }
        if let Some(mut supervisor) = self.supervisor.take() {
            supervisor.retire();
        }
    }

    /// Removes all traces of a server that has not run.
    pub(crate) fn forget(&mut self) {
        if let Some(registry) = self.registry.take() {
            registry.remove(&self.entry);
        }
        self.release();
    }

    /// Leaves everything to the supervisor if this is not the first process that it started;
    /// returns whether it did.
    pub(crate) fn leave_to_supervisor(&mut self) -> bool {
        let is_left = self.supervisor.is_some() && self.entry.generation > 0;
        if is_left {
            self.abandon();
        }
        is_left
    }

    fn abandon(&mut self) {
        self.registry = None;
        self.claim = None;
        self.supervisor = None;
    }
}

/// Writes an entry that is not in place, and returns the stamp of its file.
fn put_back(registry: &Registry, entry: &Entry, was_written: bool, log: &Log) -> io::Result<Stamp> {
    // The entry of the previous process belongs to this server.
    let written = if was_written || !registry.has_earlier(entry) {
        let path = registry.entry_path(entry);
        // On a full disk, removing the file at the path may free the space that is needed.
        let put = || match registry.put(entry) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                vacate(&path)?;
                registry.put(entry)
            }
            done => done,
        };
        replace(&path, "entry", log, put)?
    } else {
        registry.put(entry)?
    };
    if !was_written {
        log.info("registry entry written");
    }
    Ok(written)
}

/// Replaces something that others have put in the place of a server's file with the result of
/// `put`, and logs it.
fn replace(
    path: &Path,
    what: &str,
    log: &Log,
    put: impl FnOnce() -> io::Result<Stamp>,
) -> io::Result<Stamp> {
    let foreign = path.symlink_metadata();
    let stamp = put()?;
    if let Ok(about) = foreign {
        log.warning(format_args!(
            "replaced a foreign file at '{}' ({}) by the server's own {what}",
            path.display(),
            platform::kind(&about)
        ));
    }
    Ok(stamp)
}

//! What the registry is told about a server.

use std::io;
use std::path::{Path, PathBuf};

use super::supervisor_pipe::SupervisorPipe;
use crate::log::Log;
use crate::name::Name;
use crate::platform::{self, Private, Stamp};
use crate::registry::{Claim, Ending, Entry, Registry, vacate};

/// A file that has to be where it is.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) path: PathBuf,
    /// What tells it from anything else in its place, unless anything will do.
    pub(super) stamp: Option<Stamp>,
}

impl Kept {
    pub(super) fn is_in_place(&self) -> bool {
        match Stamp::at(&self.path) {
            Ok(found) => self.stamp.is_none_or(|stamp| stamp == found),
            // What cannot be looked at cannot be put back either.
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }
}

/// A server's entry, and the name that it has.
#[derive(Debug)]
pub(super) struct Record {
    /// None where there is no entry, or where it is another process's.
    registry: Option<Registry>,
    entry: Entry,
    /// What the file of the entry was like when it was written; none if it could not be yet, so that one of
    /// an earlier process may stand there.
    written: Option<Stamp>,
    /// What tells the entry and the socket from what others put in their place. The default is nothing's,
    /// so that it is looked more closely.
    entry_stamp: Stamp,
    socket_stamp: Stamp,
    claim: Option<Private<Claim>>,
    /// To the supervisor, if that keeps the place.
    cord: Option<Private<SupervisorPipe>>,
    /// Whether something could not be put back.
    pub(super) has_trouble: bool,
}

impl Record {
    pub(super) fn new(
        registry: Option<Registry>,
        entry: Entry,
        written: Option<Stamp>,
        socket_stamp: Stamp,
        claim: Option<Claim>,
        cord: Option<SupervisorPipe>,
    ) -> Self {
        let (claim, cord) = (claim.map(Private::new), cord.map(Private::new));
        // The log knows already of an entry that could not be written.
        let (entry_stamp, has_trouble) = (Stamp::default(), written.is_none());
        Self { registry, entry, written, entry_stamp, socket_stamp, claim, cord, has_trouble }
    }

    /// The files by which others find the server.
    pub(super) fn files(&self) -> Vec<Kept> {
        let Entry { socket, log_file, .. } = &self.entry;
        let kept = |path, stamp| Kept { path, stamp };
        let entry = self.registry.as_ref().map(|registry| registry.entry_path(&self.entry));
        let entry = entry.map(|path| kept(path, Some(self.entry_stamp)));
        let name = self.claim.as_ref();
        let name = name.map(|claim| kept(claim.path().to_owned(), Some(claim.stamp())));
        let socket = socket.clone().map(|path| kept(path, Some(self.socket_stamp)));
        // A log may be a link, or the file of another one to whom several servers write.
        let log = log_file.clone().map(|path| kept(path, None));
        [entry, name, socket, log].into_iter().flatten().collect()
    }

    /// Puts back what others have removed or replaced: the directory, the entry, the file of the name, and
    /// the socket, for which `listen` listens anew. One that cannot be put back keeps none of the others
    /// away. Nothing is removed that was not seen to be something else, nor before there is something to
    /// put in its place.
    ///
    /// # Errors
    /// Why one of them cannot be put back.
    pub(super) fn restore(
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
            // Its stamp is taken only when it is looked at next, after it was read once more.
            Ok(None) => put_back(registry, entry, written.is_some(), log)
                .map(|written| self.written = Some(written)),
            // What cannot be looked at may be the entry.
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
    pub(super) fn name(&self) -> Option<&Name> {
        self.entry.name.as_ref()
    }

    /// Gives up address and name, because no more calls are accepted: a successor can take over.
    pub(super) fn retire(&mut self) {
        if let Some(registry) = &self.registry {
            registry.retire(&mut self.entry);
        }
        self.release();
    }

    /// Notes how the server ended; what was noted first counts.
    pub(super) fn end(&mut self, ending: Ending) {
        if let Some(registry) = &self.registry {
            registry.end(&mut self.entry, ending);
        }
        self.release();
    }

    /// Notes that the server could not go on. A supervisor that keeps its place is told why, and starts
    /// the next one there, or notes the end itself.
    pub(super) fn fail(&mut self, ending: Ending) {
        match &mut self.cord {
            Some(cord) => {
                if cord.is_intact() {
                    cord.fail(&ending.reason);
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
        if let Some(mut cord) = self.cord.take() {
            cord.retire();
        }
    }

    /// Leaves no trace of a server that has not run.
    pub(super) fn forget(&mut self) {
        if let Some(registry) = self.registry.take() {
            registry.remove(&self.entry);
        }
        self.release();
    }

    /// Leaves everything to the supervisor, if this is not the first server that it has started; returns
    /// whether it is not.
    pub(super) fn leave_to_supervisor(&mut self) -> bool {
        let is_left = self.cord.is_some() && self.entry.generation > 0;
        if is_left {
            self.abandon();
        }
        is_left
    }

    fn abandon(&mut self) {
        self.registry = None;
        self.claim = None;
        self.cord = None;
    }
}

/// Writes an entry that does not stand in its place, and returns what the file is like that it stands in.
fn put_back(registry: &Registry, entry: &Entry, was_written: bool, log: &Log) -> io::Result<Stamp> {
    // What is left of the process before this one is the server's own.
    let written = if was_written || !registry.has_earlier(entry) {
        let path = registry.entry_path(entry);
        // On a full disk what stands there may have the room that it needs.
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
        log.info("the entry in the registry is written now");
    }
    Ok(written)
}

/// Has a server's file `put` in the place of what somebody else has put there, and tells of that.
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
            "something else stood in the place of the server's {what}, '{}': it was {}. It is removed, \
             and the {what} put back",
            path.display(),
            platform::kind(&about)
        ));
    }
    Ok(stamp)
}

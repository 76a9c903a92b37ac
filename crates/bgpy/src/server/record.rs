//! What the registry is told about a server.

use std::io;
use std::path::PathBuf;

use crate::name::Name;
use crate::platform::Private;
use crate::registry::{Claim, Ending, Entry, Registry};
use crate::supervisor::Cord;

/// A server's entry, and the name that it has.
#[derive(Debug)]
pub(super) struct Record {
    /// None where there is no entry, or where it is another process's.
    registry: Option<Registry>,
    entry: Entry,
    claim: Option<Private<Claim>>,
    /// To the supervisor, if that keeps the place.
    cord: Option<Private<Cord>>,
    /// Whether the entry could not be written yet, so that one of an earlier process stands there.
    pub(super) is_unwritten: bool,
    /// Whether something could not be put back.
    pub(super) has_trouble: bool,
}

impl Record {
    pub(super) fn new(
        registry: Option<Registry>,
        entry: Entry,
        claim: Option<Claim>,
        cord: Option<Cord>,
        is_unwritten: bool,
    ) -> Self {
        let (claim, cord) = (claim.map(Private::new), cord.map(Private::new));
        Self { registry, entry, claim, cord, is_unwritten, has_trouble: is_unwritten }
    }

    /// The files by which others find the server.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let entry = self.registry.as_ref().map(|registry| registry.entry_path(&self.entry));
        let name = self.claim.as_ref().map(|claim| claim.path().to_owned());
        let Entry { socket, log_file, .. } = &self.entry;
        entry.into_iter().chain(name).chain(socket.clone()).chain(log_file.clone()).collect()
    }

    /// Puts back what others have removed: the directory, the entry, and the file of the name. Returns
    /// the path of the socket if that is missing, too.
    pub(super) fn restore(&mut self) -> io::Result<Option<PathBuf>> {
        let Some(registry) = &self.registry else { return Ok(None) };
        registry.prepare()?;
        if self.is_unwritten || !registry.entry_path(&self.entry).exists() {
            registry.add(&self.entry)?;
            self.is_unwritten = false;
        }
        if let Some(renewed) = self.claim.as_ref().map_or(Ok(None), |claim| claim.renewed())? {
            self.claim = Some(Private::new(renewed));
        }
        Ok(self.entry.socket.clone().filter(|path| !path.exists()))
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

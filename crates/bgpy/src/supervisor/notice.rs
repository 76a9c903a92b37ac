//! What the registry says of a server while there is none: how it failed, and when it is back.

use std::process::ExitStatus;

use crate::platform::Stamp;
use crate::registry::{Ending, Entry, Registry};
use crate::restart::Failing;

/// The entry of a server, of which a supervisor has a copy that needs no disk.
#[derive(Debug)]
pub(super) struct Notice {
    registry: Option<Registry>,
    instance: String,
    entry: Option<Entry>,
    /// What the file was like when this was written to it; none until it could be.
    written: Option<Stamp>,
}

impl Notice {
    pub(super) fn new(registry: Option<Registry>, instance: &str) -> Self {
        Self { registry, instance: instance.to_owned(), entry: None, written: None }
    }

    /// Reads what the server has written. Each of its processes writes once, so that whatever else stands in
    /// the place of an entry that is known is somebody else's.
    pub(super) fn read(&mut self) {
        let written = self.registry.as_ref().and_then(|all| all.entry(&self.instance));
        let known = self.entry.as_ref().map(|entry| entry.generation);
        // One that takes no calls any more is not put back.
        let fresh = written.filter(|entry| {
            entry.retired_ms.is_none() && known.is_none_or(|known| entry.generation > known)
        });
        self.entry = fresh.or(self.entry.take());
    }

    /// Says how the server fails, in the place of its process, which is gone. Until that
    /// [can be written](Self::keep), readers find what stood there before.
    pub(super) fn tell(&mut self, failing: &Failing) {
        self.read();
        if let Some(entry) = self.entry.as_mut() {
            entry.failing = Some(failing.clone());
        }
        self.written = None;
        self.keep();
    }

    /// Puts back what was told, if it does not stand there: somebody has removed it, or put something else
    /// in its place, which is not read.
    pub(super) fn keep(&mut self) {
        let Some((registry, entry)) = self.registry.as_ref().zip(self.entry.as_ref()) else {
            return;
        };
        let written = self.written.as_ref();
        // What cannot be looked at may stand there.
        if written.is_none_or(|written| matches!(registry.stamp(entry, written), Ok(None))) {
            self.written = registry.prepare().and_then(|()| registry.put(entry)).ok();
        }
    }

    /// Leaves word of how the server's process has ended, and why there is no other.
    pub(super) fn conclude(&self, status: ExitStatus, reason: Option<&str>) {
        if let Some(registry) = &self.registry {
            registry.note_exit(&self.instance, status, reason);
        }
    }

    /// Leaves word of an end that somebody wanted while the server had no process.
    pub(super) fn end(&mut self, reason: String) {
        self.read();
        if let Some((registry, entry)) = self.registry.as_ref().zip(self.entry.as_mut()) {
            registry.end(entry, Ending { code: Some(0), ..Ending::now(true, reason) });
        }
    }
}

//! What the registry says about a server between two processes: how it failed, and when it
//! restarts.

use std::process::ExitStatus;

use crate::platform::Stamp;
use crate::registry::{Ending, Entry, Registry};
use crate::restart::Failing;

/// The entry of a server, of which the supervisor keeps a copy in memory, so that no disk is
/// needed.
#[derive(Debug)]
pub(super) struct Notice {
    registry: Option<Registry>,
    instance: String,
    entry: Option<Entry>,
    /// The stamp of the file as last written; `None` until it could be written.
    written: Option<Stamp>,
}

impl Notice {
    pub(super) fn new(registry: Option<Registry>, instance: &str) -> Self {
        Self { registry, instance: instance.to_owned(), entry: None, written: None }
    }

    /// Reads the entry that the server has written. Each of its processes writes once: once an
    /// entry is known, anything else in its place was put there by others.
    pub(super) fn read(&mut self) {
        let written = self.registry.as_ref().and_then(|all| all.entry(&self.instance));
        let known = self.entry.as_ref().map(|entry| entry.generation);
        // The entry of a server that accepts no more calls is not restored.
        let fresh = written.filter(|entry| {
            entry.retired_ms.is_none() && known.is_none_or(|known| entry.generation > known)
        });
        self.entry = fresh.or(self.entry.take());
    }

    /// Records how the server failed, in the entry of its process, which is gone. Until the entry
    /// [can be written](Self::keep), readers find the old one.
    pub(super) fn tell(&mut self, failing: &Failing) {
        self.read();
        if let Some(entry) = self.entry.as_mut() {
            entry.failing = Some(failing.clone());
        }
        self.written = None;
        self.keep();
    }

    /// Restores the entry if it was removed or replaced; what is in its place is not read.
    pub(super) fn keep(&mut self) {
        let Some((registry, entry)) = self.registry.as_ref().zip(self.entry.as_ref()) else {
            return;
        };
        let written = self.written.as_ref();
        // A file that cannot be examined may be the entry.
        if written.is_none_or(|written| matches!(registry.stamp(entry, written), Ok(None))) {
            self.written = registry.prepare().and_then(|()| registry.put(entry)).ok();
        }
    }

    /// Records how the server's process ended, and why it is not restarted.
    pub(super) fn conclude(&self, status: ExitStatus, reason: Option<&str>) {
        if let Some(registry) = &self.registry {
            registry.note_exit(&self.instance, status, reason);
        }
    }

    /// Records an end that was requested while the server had no process.
    pub(super) fn end(&mut self, reason: String) {
        self.read();
        if let Some((registry, entry)) = self.registry.as_ref().zip(self.entry.as_mut()) {
            registry.end(entry, Ending { code: Some(0), ..Ending::now(true, reason) });
        }
    }
}

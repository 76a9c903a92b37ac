//! What the registry says of a server while there is none: how it failed, and when it is back.

use std::io;
use std::process::ExitStatus;

use crate::registry::{Ending, Entry, Registry};
use crate::restart::Failing;

/// The entry of a server, of which a supervisor has a copy that needs no disk.
#[derive(Debug)]
pub(super) struct Notice {
    registry: Option<Registry>,
    instance: String,
    entry: Option<Entry>,
}

impl Notice {
    pub(super) fn new(registry: Option<Registry>, instance: &str) -> Self {
        Self { registry, instance: instance.to_owned(), entry: None }
    }

    /// Reads what the server has written.
    pub(super) fn read(&mut self) {
        let written = self.registry.as_ref().and_then(|all| all.entry(&self.instance));
        // One that takes no calls any more is not put back.
        self.entry = written.filter(|entry| entry.retired_ms.is_none()).or(self.entry.take());
    }

    /// Says how the server fails, in the place of its process, which is gone.
    ///
    /// # Errors
    /// What the operating system says; readers find what stood there before.
    pub(super) fn tell(&mut self, failing: &Failing) -> io::Result<()> {
        self.read();
        let Some((registry, entry)) = self.registry.as_ref().zip(self.entry.as_mut()) else {
            return Ok(());
        };
        entry.failing = Some(failing.clone());
        registry.add(entry)
    }

    /// Whether somebody has removed it.
    pub(super) fn is_gone(&self) -> bool {
        let both = self.registry.as_ref().zip(self.entry.as_ref());
        both.is_some_and(|(registry, entry)| !registry.entry_path(entry).exists())
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

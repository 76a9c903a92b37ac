//! Which process is meant, also when its id is used again.

use serde::{Deserialize, Serialize};

use crate::platform;

/// A process of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Process id.
    pub pid: u32,
    /// When it began, in a unit of the system's own: together with the id it tells the process from one
    /// that got the same id later.
    pub start: Option<u64>,
}

impl ProcessId {
    /// This process.
    pub fn own() -> Self {
        let pid = std::process::id();
        Self { pid, start: platform::process_start(pid) }
    }

    /// Whether it is there still, as far as the system can tell.
    pub fn is_there(&self) -> bool {
        match platform::process_start(self.pid) {
            Some(start) => self.start.is_none_or(|known| known == start),
            None => false,
        }
    }
}

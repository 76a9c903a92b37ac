//! Identifies a process even if its id is reused or means another process elsewhere.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::WithLimit;
use crate::platform;

/// A process on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    /// Process id.
    pub pid: u32,
    /// When it started, in a unit of the system: with the id, it tells the process from a later one
    /// with the same id.
    pub start: Option<u64>,
    /// The namespace of the id: containers have process ids of their own.
    #[serde(default)]
    pub namespace: Option<String>,
}

/// What is known about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is proven to exist.
    There,
    /// It is proven to be gone.
    Gone,
    /// Neither can be proven from here: it counts as existing, and nothing is done to it.
    Unknown,
}

impl ProcessId {
    /// This process.
    pub(crate) fn own() -> Self {
        let pid = std::process::id();
        let namespace = platform::process_namespace();
        // In another namespace than that of /proc, the id belongs to another process.
        let start = namespace.as_ref().and_then(|_| platform::process_start(pid).ok().flatten());
        Self { pid, start, namespace }
    }

    /// The process with id `pid` in the namespace of another one.
    pub(crate) fn beside(other: &Self, pid: u32) -> Self {
        let namespace = other.namespace.clone();
        let is_judged_here = namespace.is_some() && namespace == platform::process_namespace();
        let start = if is_judged_here { platform::process_start(pid).ok().flatten() } else { None };
        Self { pid, start, namespace }
    }

    /// What is known about it from here.
    pub(crate) fn presence(&self) -> Presence {
        if !self.is_of_here() {
            return Presence::Unknown;
        }
        match (platform::process_start(self.pid), self.start) {
            (Ok(None), _) => Presence::Gone,
            (Ok(Some(found)), Some(known)) if found != known => Presence::Gone,
            (Ok(Some(_)), Some(_)) => Presence::There,
            (Ok(Some(_)), None) | (Err(_), _) => Presence::Unknown,
        }
    }

    /// Whether its id is valid in this process's namespace.
    pub(crate) fn is_of_here(&self) -> bool {
        self.namespace.is_some() && self.namespace == platform::process_namespace()
    }

    /// The environment variables that it was started with, if it is proven to exist and the system
    /// tells them.
    pub(crate) fn environment(&self) -> Option<Vec<(OsString, OsString)>> {
        let process = platform::Process::open(self).ok()??;
        let environment = platform::process_environment(self.pid)?;
        // As long as it has not ended, its id is its own.
        (!process.ends_within(Duration::ZERO)).then_some(environment)
    }

    /// Its descriptor limit, if that is known to be reached.
    pub(crate) fn descriptors_used_up(&self) -> Option<u64> {
        let is_there = self.is_of_here() && self.presence() == Presence::There;
        is_there.then(|| platform::descriptors_used_up(self.pid))?
    }

    /// The error for an operation on a process that cannot be identified.
    pub(crate) fn unknown(&self) -> io::Error {
        if let Err(error) = platform::process_start(self.pid)
            && platform::is_exhausted(&error)
        {
            let text = format!("process {} cannot be identified: {}", self.pid, WithLimit(&error));
            return io::Error::new(error.kind(), text);
        }
        let text = format!(
            "process {} cannot be identified from here, as it belongs to another container or /proc \
             cannot be read: do it where the server runs",
            self.pid
        );
        io::Error::new(io::ErrorKind::Unsupported, text)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_there_and_a_later_one_with_its_id_is_not() {
        let own = ProcessId::own();
        assert_eq!(own.presence(), Presence::There);
        let earlier = ProcessId { start: own.start.map(|start| start - 1), ..own };
        assert_eq!(earlier.presence(), Presence::Gone);
    }

    #[test]
    fn a_process_that_has_ended_is_gone() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let known = ProcessId { pid: child.id(), start: Some(1), ..ProcessId::own() };
        child.wait().unwrap();
        assert_eq!(known.presence(), Presence::Gone);
    }

    #[test]
    fn without_proof_it_is_neither() {
        let own = ProcessId::own();
        let elsewhere = Some("pid:[1]".to_owned());
        for namespace in [None, elsewhere] {
            for pid in [own.pid, u32::MAX] {
                let process = ProcessId { pid, namespace: namespace.clone(), ..own.clone() };
                assert_eq!(process.presence(), Presence::Unknown);
                assert!(platform::Process::open(&process).is_err());
            }
        }
        let undated = ProcessId { start: None, ..own };
        assert_eq!(undated.presence(), Presence::Unknown);
    }
}

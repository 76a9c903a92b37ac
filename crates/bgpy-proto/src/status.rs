//! A server's status, which clients can request at any time, even while a task runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec;

/// The state of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// It is getting its tasks from a file or a module.
    Starting,
    /// It has no tasks yet.
    Uninitialized,
    /// It is idle.
    Ready,
    /// A task runs.
    Busy,
    /// It accepts no more calls and is about to end.
    Stopping,
}

/// A server's answer to a status request. Times are in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its state.
    pub state: State,
    /// The running task: `init_task`, `exec_task` or `exit_task`.
    pub task: Option<String>,
    /// How long the running task has been running.
    pub busy_s: Option<f64>,
    /// Queued calls.
    pub queue: u64,
    /// Calls that have run, successfully or not.
    pub calls: u64,
    /// Authenticated connections.
    pub clients: u64,
    /// Time since the start.
    pub uptime_s: f64,
    /// Process id on the server's machine.
    pub pid: u64,
    /// Resident memory of the process, in bytes, if the system reports it.
    pub rss_bytes: Option<u64>,
    /// The server's name, if it has one.
    pub name: Option<String>,
}

impl State {
    /// The name on the wire and for users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::Uninitialized => "UNINITIALIZED",
            Self::Ready => "READY",
            Self::Busy => "BUSY",
            Self::Stopping => "STOPPING",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Status {
    /// Encodes the status.
    pub fn encode(&self) -> Vec<u8> {
        codec::to_vec(self).expect("a status is flat and short")
    }

    /// Decodes a status; `None` if the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::from_map(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_wire() {
        for state in
            [State::Starting, State::Uninitialized, State::Ready, State::Busy, State::Stopping]
        {
            assert_eq!(codec::to_value(&state), Ok(state.as_str().into()));
            let status = Status {
                state,
                task: (state == State::Busy).then(|| "exec_task".into()),
                busy_s: (state == State::Busy).then_some(0.25),
                queue: 3,
                calls: u64::MAX,
                clients: 0,
                uptime_s: 1e9,
                pid: 1,
                rss_bytes: Some(1 << 30),
                name: Some("trainer".into()),
            };
            assert_eq!(Status::decode(&status.encode()), Some(status));
        }
    }
}

//! A server's status, which clients can request at any time, even while a task runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::progress::Progress;

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
    /// CPU time that the process has used, in all of its threads, if the server reports it.
    pub cpu_s: Option<f64>,
    /// Process id on the server's machine.
    pub pid: u64,
    /// Resident memory of the process, in bytes, if the system reports it.
    pub rss_bytes: Option<u64>,
    /// The server's name, if it has one.
    pub name: Option<String>,
    /// The server's number for the running call, by which it can be [cancelled](crate::AbortRequest).
    pub call: Option<u64>,
    /// How far the running call has come, if its task has said so.
    pub progress: Option<Progress>,
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
    /// The status without the connection that asked for it, which is no client of its own.
    #[must_use]
    pub fn of_others(self) -> Self {
        Self { clients: self.clients.saturating_sub(1), ..self }
    }

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
                cpu_s: Some(0.5),
                pid: 1,
                rss_bytes: Some(1 << 30),
                name: Some("trainer".into()),
                call: Some(1),
                progress: Some(Progress::new(Some(1.0), None, Some("training"))),
            };
            assert_eq!(Status::decode(&status.encode()), Some(status));
        }
    }

    #[test]
    fn who_asks_is_no_client_of_its_own() {
        let of = |clients| status(clients).of_others().clients;
        assert_eq!((of(3), of(1), of(0)), (2, 0, 0));
    }

    #[test]
    fn a_server_may_report_less() {
        #[derive(Serialize)]
        struct Least {
            state: State,
            queue: u64,
            calls: u64,
            clients: u64,
            uptime_s: f64,
            pid: u64,
        }
        let least =
            Least { state: State::Ready, queue: 0, calls: 0, clients: 1, uptime_s: 0.0, pid: 1 };
        let expected = Status { cpu_s: None, ..status(1) };
        assert_eq!(Status::decode(&codec::to_vec(&least).unwrap()), Some(expected));
    }

    fn status(clients: u64) -> Status {
        Status {
            state: State::Ready,
            task: None,
            busy_s: None,
            queue: 0,
            calls: 0,
            clients,
            uptime_s: 0.0,
            cpu_s: Some(1.0),
            pid: 1,
            rss_bytes: None,
            name: None,
            call: None,
            progress: None,
        }
    }
}

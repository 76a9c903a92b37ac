//! What a server tells about itself at any time, also while a task runs.

use std::fmt;

use crate::codec::Value;

/// Where a server stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It takes its tasks from a file or a module.
    Starting,
    /// It has no tasks yet.
    Uninitialized,
    /// It is idle.
    Ready,
    /// A task runs.
    Busy,
    /// It takes no more calls and is about to end.
    Stopping,
}

const STATES: [(State, &str); 5] = [
    (State::Starting, "STARTING"),
    (State::Uninitialized, "UNINITIALIZED"),
    (State::Ready, "READY"),
    (State::Busy, "BUSY"),
    (State::Stopping, "STOPPING"),
];

/// A server's answer to a status request. Times are in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Where it stands.
    pub state: State,
    /// The task that runs: `init_task`, `exec_task` or `exit_task`.
    pub task: Option<String>,
    /// How long the running task has been running.
    pub busy_s: Option<f64>,
    /// Calls that wait for their turn.
    pub queue: u64,
    /// Calls that have run, successfully or not.
    pub calls: u64,
    /// Authenticated connections.
    pub clients: u64,
    /// Time since the start.
    pub uptime_s: f64,
    /// Process id on the server's machine.
    pub pid: u64,
    /// Memory that the process has resident, in bytes, where the system tells.
    pub rss_bytes: Option<u64>,
    /// The server's name, if it has one.
    pub name: Option<String>,
}

impl State {
    /// The name that is sent and shown.
    pub fn as_str(self) -> &'static str {
        STATES.iter().find(|(state, _)| *state == self).map_or("READY", |(_, name)| name)
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
        Value::from([
            ("state", self.state.as_str().into()),
            ("task", self.task.clone().into()),
            ("busy_s", self.busy_s.into()),
            ("queue", self.queue.into()),
            ("calls", self.calls.into()),
            ("clients", self.clients.into()),
            ("uptime_s", self.uptime_s.into()),
            ("pid", self.pid.into()),
            ("rss_bytes", self.rss_bytes.into()),
            ("name", self.name.clone().into()),
        ])
        .encode()
        .expect("a status is flat and short")
    }

    /// Decodes a status; `None` when the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let value = Value::decode(bytes).ok()?;
        let name = value.get("state")?.as_str()?;
        let seconds = |key| match value.get(key) {
            Some(Value::Float(seconds)) => Some(*seconds),
            _ => None,
        };
        let count = |key| value.get(key).and_then(Value::as_u64);
        let text = |key| value.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            state: STATES.iter().find(|(_, known)| *known == name)?.0,
            task: text("task"),
            busy_s: seconds("busy_s"),
            queue: count("queue")?,
            calls: count("calls")?,
            clients: count("clients")?,
            uptime_s: seconds("uptime_s")?,
            pid: count("pid")?,
            rss_bytes: count("rss_bytes"),
            name: text("name"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_wire() {
        for (state, _) in STATES {
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

//! What a server tells about itself at any time, also while a task runs.

use std::fmt;

use crate::codec::Value;

/// Where a server stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It has no tasks yet.
    Uninitialized,
    /// It is idle.
    Ready,
    /// A task runs.
    Busy,
    /// It takes no more calls and is about to end.
    Stopping,
}

const STATES: [(State, &str); 4] = [
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
            ("busy_s", self.busy_s.into()),
            ("queue", self.queue.into()),
            ("calls", self.calls.into()),
            ("clients", self.clients.into()),
            ("uptime_s", self.uptime_s.into()),
            ("pid", self.pid.into()),
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
        Some(Self {
            state: STATES.iter().find(|(_, known)| *known == name)?.0,
            busy_s: seconds("busy_s"),
            queue: count("queue")?,
            calls: count("calls")?,
            clients: count("clients")?,
            uptime_s: seconds("uptime_s")?,
            pid: count("pid")?,
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
                busy_s: (state == State::Busy).then_some(0.25),
                queue: 3,
                calls: u64::MAX,
                clients: 0,
                uptime_s: 1e9,
                pid: 1,
            };
            assert_eq!(Status::decode(&status.encode()), Some(status));
        }
    }
}

//! Reports of a server's process to its starter.

use std::fs::File;
use std::io;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::error::{FailureKind, ServeError};
use crate::platform::{self, Private, SupervisorLine};

/// A report of a child.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Report {
    /// The server accepts calls.
    Ready {
        /// Its process id.
        pid: u32,
        /// Where it listens.
        address: SocketAddr,
    },
    /// The server failed to start.
    Failed {
        /// The kind of failure.
        kind: FailureKind,
        /// The error message.
        message: String,
    },
    /// The server accepts no more calls: the supervisor releases its name, port and sockets.
    Retiring,
}

/// The child's end of the line.
#[derive(Debug)]
pub struct StartReporter {
    output: Output,
}

/// Where the line leads.
#[derive(Debug)]
enum Output {
    Parent(Private<File>),
    Supervisor(Private<SupervisorLine>),
}

impl Report {
    /// The report for a server that cannot get its name, port or socket.
    pub fn failed(error: &ServeError) -> Self {
        let named = error.naming_the_server();
        let error = named.as_ref().unwrap_or(error);
        Self::Failed { kind: error.kind(), message: error.to_string() }
    }

    /// The serialized report.
    pub(crate) fn line(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(self).expect("a report has only text keys");
        text.push(b'\n');
        text
    }
}

impl StartReporter {
    /// Reports to the process that started this one, and detaches from it: its session, its
    /// terminal and its pipes.
    pub(crate) fn to_parent() -> io::Result<Self> {
        let output = platform::take_output()?;
        platform::detach()?;
        Ok(Self { output: Output::Parent(Private::new(output)) })
    }

    /// Reports to a supervisor.
    pub(crate) fn to(line: SupervisorLine) -> Self {
        Self { output: Output::Supervisor(Private::new(line)) }
    }

    /// Sends the report, which ends the parent's wait.
    pub fn report(&mut self, report: &Report) {
        // If the parent is gone, the report is not needed.
        drop(match &self.output {
            Output::Parent(output) => platform::write_all(&**output, &report.line()),
            Output::Supervisor(line) => platform::write_all(&**line, &report.line()),
        });
    }
}

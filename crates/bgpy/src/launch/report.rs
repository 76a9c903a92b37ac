//! What a server's process tells the one that started it.

use std::fs::File;
use std::io;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::error::ServeError;
use crate::platform::{self, Private};

/// What a child reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Report {
    /// It takes calls.
    Ready {
        /// Its process id.
        pid: u32,
        /// Where it listens.
        address: SocketAddr,
    },
    /// It does not start.
    Failed {
        /// A short name of the kind of error.
        kind: String,
        /// What is wrong.
        message: String,
    },
    /// It takes no more calls: a supervisor lets go of its place.
    Retiring,
}

/// The child's side: where it reports to.
#[derive(Debug)]
pub struct Reporter {
    output: Private<File>,
}

impl Report {
    /// A server that has no place to be.
    pub fn failed(error: &ServeError) -> Self {
        let named = error.naming_the_server();
        let error = named.as_ref().unwrap_or(error);
        Self::Failed { kind: error.kind().to_owned(), message: error.to_string() }
    }

    /// As it is sent.
    pub(crate) fn line(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(self).expect("a report has only text keys");
        text.push(b'\n');
        text
    }
}

impl Reporter {
    /// Reports to the process that started this one, which is left: its session, its terminal and its
    /// pipes.
    pub(crate) fn to_parent() -> io::Result<Self> {
        let output = platform::take_output()?;
        platform::detach()?;
        Ok(Self { output: Private::new(output) })
    }

    /// Reports to a supervisor.
    #[cfg(unix)]
    pub(crate) fn to(line: std::os::unix::net::UnixStream) -> Self {
        Self { output: Private::new(std::os::fd::OwnedFd::from(line).into()) }
    }

    /// Sends the report, which ends the parent's wait.
    pub fn report(&mut self, report: &Report) {
        // A parent that is gone does not want to know.
        drop(platform::write_all(&*self.output, &report.line()));
    }
}

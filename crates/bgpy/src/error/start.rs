//! Why a background server did not start.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::duration::shown;
use crate::platform::WithLimit;

/// Python's message if bgpy is not installed.
const NO_BGPY: &str = "ModuleNotFoundError: No module named 'bgpy'";

/// Why a background server did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The interpreter or program cannot be started.
    #[error("cannot start '{}': {}", program.display(), WithLimit(source))]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The log file cannot be written.
    #[error("cannot write the log file '{}': {}", path.display(), WithLimit(source))]
    LogFile {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The server reported why it does not start.
    #[error("{message}")]
    Reported {
        /// The kind of error, so that it can be raised as such.
        kind: String,
        /// The server's message.
        message: String,
    },
    /// The server ended without a report; only its output is known.
    #[error("the server ended while starting ({status}){}{}", hint(output), Printed(output))]
    Died {
        /// Exit code or signal.
        status: String,
        /// The end of its log.
        output: String,
    },
    /// The start timed out; the server was ended.
    #[error("the server was not ready within {} and was ended{}", shown(*after), Printed(output))]
    Timeout {
        /// The limit.
        after: Duration,
        /// The end of its log.
        output: String,
    },
    /// The system refused another resource that the caller needs for a start. A server that was
    /// already started was ended.
    #[error("{what}: {}", WithLimit(source))]
    System {
        /// What failed, as text.
        what: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The server that has the name does not give way to another.
    #[error("'{server}' was not replaced: {what}")]
    NotReplaced {
        /// How users name it.
        server: String,
        /// Why, as text.
        what: String,
    },
    /// The server that has the name takes no more calls, but has not ended in time.
    #[error("'{server}' was not replaced: it takes no more calls, but has not ended within {}: {hindrance}", shown(*after))]
    StillEnding {
        /// How users name it.
        server: String,
        /// The limit.
        after: Duration,
        /// What it waits for, as text.
        hindrance: String,
    },
    /// The server that had the name was stopped, but its successor does not start.
    #[error("'{server}' was stopped, but the server in its place does not start: {source}")]
    Replaced {
        /// How users name it.
        server: String,
        /// Why it does not start.
        source: Box<Self>,
    },
    /// The caller was interrupted; the server was ended.
    #[error("interrupted before the server was ready")]
    Interrupted,
}

/// Advice for well-known failures.
fn hint(output: &str) -> String {
    let version = crate::VERSION;
    if !output.contains(NO_BGPY) {
        return String::new();
    }
    format!(
        ": its interpreter cannot import bgpy; install it there (-m pip install bgpy=={version}), or use \
         another interpreter"
    )
}

/// The output of a server before it ended.
struct Printed<'a>(&'a str);

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; it printed:\n{}", self.0) }
    }
}

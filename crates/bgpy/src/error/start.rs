//! Why a background server did not come up.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::words::Seconds;
use crate::platform::WithLimit;

/// What Python prints that has no bgpy.
const NO_BGPY: &str = "ModuleNotFoundError: No module named 'bgpy'";

/// Why a background server did not come up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The interpreter or program cannot be started.
    #[error("cannot start '{}': {}", program.display(), WithLimit(source))]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The log file cannot be written.
    #[error("cannot write the log file '{}': {}", path.display(), WithLimit(source))]
    LogFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The server said why it does not start.
    #[error("{message}")]
    Reported {
        /// What kind of error it is, so that it can be raised as such.
        kind: String,
        /// The server's words.
        message: String,
    },
    /// The server ended without a word of its own; what it printed is what there is.
    #[error("the server ended while starting ({status}){}{}", hint(output), Printed(output))]
    Died {
        /// Exit code or signal.
        status: String,
        /// The end of its log.
        output: String,
    },
    /// It took longer than the caller wanted to wait; the server was ended.
    #[error("the server was not ready within {} and was ended{}", Seconds(*after), Printed(output))]
    Timeout {
        /// The limit.
        after: Duration,
        /// The end of its log.
        output: String,
    },
    /// The system refused the caller something else that a start needs. A server that was started already
    /// was ended.
    #[error("{what}: {}", WithLimit(source))]
    System {
        /// What that is, in words.
        what: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The caller was interrupted; the server was ended.
    #[error("interrupted while the server started; it was ended")]
    Interrupted,
}

/// What to do about a failure that is well known.
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

/// What a server printed before it ended.
struct Printed<'a>(&'a str);

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; it printed:\n{}", self.0) }
    }
}

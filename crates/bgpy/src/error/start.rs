//! Why a background server did not come up.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::Seconds;
use crate::platform::WithLimit;

/// What Python prints that has no bgpy.
const NO_BGPY: &str = "ModuleNotFoundError: No module named 'bgpy'";

/// Why a background server did not come up.
#[derive(Debug)]
pub enum StartError {
    /// The interpreter or program cannot be started.
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The log file cannot be written.
    LogFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The server said why it does not start.
    Reported {
        /// What kind of error it is, so that it can be raised as such.
        kind: String,
        /// The server's words.
        message: String,
    },
    /// The server ended without a word of its own; what it printed is what there is.
    Died {
        /// Exit code or signal.
        status: String,
        /// The end of its log.
        output: String,
    },
    /// It took longer than the caller wanted to wait; the server was ended.
    Timeout {
        /// The limit.
        after: Duration,
        /// The end of its log.
        output: String,
    },
    /// The system refused the caller something else that a start needs. A server that was started already
    /// was ended.
    System {
        /// What that is, in words.
        what: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The caller was interrupted; the server was ended.
    Interrupted,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn { program, source } => {
                write!(f, "cannot start '{}': {}", program.display(), WithLimit(source))
            }
            Self::LogFile { path, source } => {
                write!(f, "cannot write the log file '{}': {}", path.display(), WithLimit(source))
            }
            Self::Reported { message, .. } => f.write_str(message),
            Self::Died { status, output } => {
                write!(f, "the server ended while starting ({status})")?;
                if output.contains(NO_BGPY) {
                    let version = crate::VERSION;
                    f.write_str(": its interpreter cannot import bgpy")?;
                    write!(
                        f,
                        "; install it there (-m pip install bgpy=={version}), or take another"
                    )?;
                }
                if output.is_empty() { Ok(()) } else { write!(f, "; it printed:\n{output}") }
            }
            Self::Timeout { after, output } => {
                write!(f, "the server was not ready within {} and was ended", Seconds(*after))?;
                if output.is_empty() { Ok(()) } else { write!(f, "; it printed:\n{output}") }
            }
            Self::System { what, source } => write!(f, "{what}: {}", WithLimit(source)),
            Self::Interrupted => f.write_str("interrupted while the server started; it was ended"),
        }
    }
}

impl std::error::Error for StartError {}

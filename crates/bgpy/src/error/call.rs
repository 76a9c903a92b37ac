//! Why a call failed.

use std::fmt;
use std::io;
use std::time::Duration;

use bgpy_proto::{Exceptions, Failure, FailureCode, Id, ProtocolError};
use thiserror::Error;

use super::ConnectError;
use super::words::Stopping;
use crate::duration::shown;

/// Why a call failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CallError {
    /// No connection was established.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection broke while the call was under way.
    #[error("{}", WhileCalling { server, reason, ended: ended.as_deref() })]
    Lost {
        /// The target, as the user named it.
        server: String,
        /// Why it was lost.
        #[source]
        reason: Lost,
        /// Which server it was.
        instance: Id,
        /// How the server has ended, if that was [looked up](CallError::with_ending).
        ended: Option<String>,
    },
    /// The call timed out.
    #[error("{server} {} within {}: {}",
        if *accepted { "accepted the call but did not answer" } else { "did not answer" },
        shown(*after),
        if *expired {
            "the deadline has passed, and the server cancels the call"
        } else if *accepted {
            "if the task has started it keeps running; otherwise the call is cancelled"
        } else {
            "the call may or may not have run"
        })]
    Timeout {
        /// The target, as the user named it.
        server: String,
        /// The limit.
        after: Duration,
        /// Whether the server had accepted the call.
        accepted: bool,
        /// Whether it was the caller's deadline, which the server knows.
        expired: bool,
    },
    /// A job did not end while its caller waited.
    #[error("the job on {server} is not over after {}: it goes on", shown(*after))]
    JobTimeout {
        /// The target, as the user named it.
        server: String,
        /// The limit.
        after: Duration,
    },
    /// Nobody knows whether a job was submitted: there was no answer.
    #[error("{source}; {}", match is_key {
        true => format!("submitted again with the key {job}, it is the same job"),
        false => format!("if it was submitted, it is the job {job}"),
    })]
    JobUnsure {
        /// The name of the job.
        job: String,
        /// Whether that is a key of the user's.
        is_key: bool,
        /// Why there was no answer.
        #[source]
        source: Box<CallError>,
    },
    /// The task ended without a response.
    #[error("the task on {server} ended without a response")]
    NoResponse {
        /// The target, as the user named it.
        server: String,
    },
    /// The server reports a failure.
    #[error("{}", Failed { server, failure })]
    Failed {
        /// The target, as the user named it.
        server: String,
        /// The failure.
        failure: Box<Failure>,
        /// The exception itself, and those that led to it, as far as the server could send them.
        exceptions: Box<Exceptions>,
        /// Whether it was the call of a method.
        is_of_method: bool,
    },
    /// The server answered, but this process lacks the memory for the answer.
    #[error("not enough memory for the answer of {server}, which has {bytes} bytes")]
    Memory {
        /// The target, as the user named it.
        server: String,
        /// Length of the answer, in bytes.
        bytes: u64,
    },
    /// The server is of a version that answers no debug requests; nothing was sent.
    #[error(
        "bgpy {bgpy} on {server} cannot be looked into while it runs: restart it with a newer version of bgpy"
    )]
    CannotDebug {
        /// The target, as the user named it.
        server: String,
        /// The server's version of bgpy.
        bgpy: String,
    },
    /// The server is of a version that cancels no running calls; nothing was sent.
    #[error(
        "bgpy {bgpy} on {server} cannot cancel a call that runs: restart it with a newer version of bgpy"
    )]
    CannotCancel {
        /// The target, as the user named it.
        server: String,
        /// The server's version of bgpy.
        bgpy: String,
    },
    /// The server is of a version that knows no methods; nothing was sent.
    #[error("bgpy {bgpy} on {server} has no methods: start it again with a newer version of bgpy")]
    TooOldForMethods {
        /// The target, as the user named it.
        server: String,
        /// The server's version of bgpy.
        bgpy: String,
    },
    /// The server is of a version that knows no jobs; nothing was sent.
    #[error("bgpy {bgpy} on {server} takes no jobs: start it again with a newer version of bgpy")]
    TooOldForJobs {
        /// The target, as the user named it.
        server: String,
        /// The server's version of bgpy.
        bgpy: String,
    },
    /// The server has no methods to tell of.
    #[error("{server} has no methods: {why}")]
    NoMethods {
        /// The target, as the user named it.
        server: String,
        /// Why.
        why: String,
    },
    /// The message exceeds a limit of the protocol; nothing was sent.
    #[error("the message cannot be sent: {0}")]
    Message(#[source] ProtocolError),
    /// The caller is a task that the server has to end before it can answer; nothing was sent.
    #[error(
        "{server} cannot answer before this task has ended, because it runs one task at a time: do not wait \
         for it here"
    )]
    WouldDeadlock {
        /// The target, as the user named it.
        server: String,
    },
    /// The caller was interrupted, for example by Ctrl-C.
    #[error("interrupted while waiting for an answer")]
    Interrupted,
}

impl CallError {
    /// A failure that no task has raised.
    #[doc(hidden)]
    pub fn refused(server: &str, failure: Box<Failure>) -> Self {
        let exceptions = Box::default();
        Self::Failed { server: server.to_owned(), failure, exceptions, is_of_method: false }
    }

    /// A timeout after which the call is cancelled, if it `is` one.
    pub(crate) fn of_cancelled_call(self, is: bool) -> Self {
        match self {
            Self::Timeout { server, after, accepted, expired } => {
                Self::Timeout { server, after, accepted, expired: expired || is }
            }
            error => error,
        }
    }

    /// Whether the server has refused the call because it ends: the call has not run.
    pub fn is_stopping(&self) -> bool {
        matches!(self, Self::Failed { failure, .. } if failure.code == FailureCode::Stopping)
    }
}

/// Why a connection was lost.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Lost {
    /// The server closed it, most likely because it ended.
    #[error("closed by the server")]
    Closed,
    /// The operating system reported an error.
    #[error("{0}")]
    Io(io::ErrorKind),
    /// The server sent nothing for this long, not even an answer to a ping.
    #[error("no response for {}", shown(*.0))]
    Silent(Duration),
    /// The server violated the protocol.
    #[error(transparent)]
    Protocol(ProtocolError),
    /// This side closed it.
    #[error("closed by this client")]
    Dropped,
    /// This process was forked while the call was under way.
    #[error(
        "it belongs to the parent process: this process was forked while the call was under way"
    )]
    Forked,
}

/// The message for a connection that was lost.
struct WhileCalling<'a> {
    server: &'a str,
    reason: &'a Lost,
    ended: Option<&'a str>,
}

impl fmt::Display for WhileCalling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, reason, ended } = self;
        if let Some(ended) = ended {
            return write!(
                f,
                "{server} ended before it answered; the call may or may not have run ({ended}); \
                 `bgpy logs {server}` shows its log"
            );
        }
        write!(
            f,
            "the connection to {server} was lost ({reason}) before the call was answered: it may or may not \
             have run"
        )?;
        match reason {
            // Where to find out what happened to the server.
            Lost::Closed | Lost::Io(_) | Lost::Silent(_) => write!(
                f,
                "; `bgpy status {server}` and `bgpy logs {server}` show what happened to the server"
            ),
            Lost::Protocol(_) | Lost::Dropped | Lost::Forked => Ok(()),
        }
    }
}

/// A failed call, as reported by the server.
struct Failed<'a> {
    server: &'a str,
    failure: &'a Failure,
}

impl fmt::Display for Failed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, failure } = self;
        match failure.code {
            FailureCode::Stopping => Stopping(server, None).fmt(f),
            _ => write!(f, "{server}: {failure}"),
        }
    }
}

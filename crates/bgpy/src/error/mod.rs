//! What can go wrong, one type an operation. Each message says what failed, on what, and what to do.

mod serve;
mod start;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bgpy_proto::{Delivered, Failure, FailureCode, ProtocolError};

use crate::name::Name;
use crate::restart::Failing;

use crate::platform::WithLimit;
pub use serve::ServeError;
pub use start::StartError;

/// Why a connection did not come about.
#[derive(Debug)]
pub enum ConnectError {
    /// The host name means nothing.
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Nobody listens there.
    NotRunning {
        /// `host:port`.
        server: String,
    },
    /// No server of this user and machine has the name.
    NoSuchName {
        /// The name.
        name: Name,
        /// Something that stands in the place of an entry, which may be the one.
        unreadable: Option<PathBuf>,
    },
    /// Others may have written what stands in the registry, so that it tells of no server.
    Registry {
        /// As the user named it.
        server: String,
        /// Which directory it is, and what is wrong with it.
        doubt: String,
    },
    /// The server takes no more calls, because it is about to end; nothing was sent.
    Stopping {
        /// As the user named it.
        server: String,
    },
    /// The server has failed, and was not back in time; nothing was sent.
    Restarting {
        /// As the user named it.
        server: String,
        /// How long it was waited for.
        after: Duration,
        /// How it fails, as far as its supervisor could say so.
        failing: Option<Failing>,
    },
    /// The network or the operating system refused.
    Io {
        /// `host:port`.
        server: String,
        /// What it said.
        source: io::Error,
    },
    /// Connecting or the handshake took too long.
    Timeout {
        /// `host:port`.
        server: String,
        /// How long it was tried.
        after: Duration,
        /// The process that has not answered, where it is one of this machine.
        process: Option<u32>,
    },
    /// The connection ended during the handshake, whenever it was tried.
    Cut {
        /// As the user named it.
        server: String,
    },
    /// The two sides do not hold the same token.
    Auth {
        /// `host:port`.
        server: String,
        /// Whether this side had a token at all.
        token: bool,
    },
    /// Somebody listens there who cannot be asked for a proof, because no token is known.
    NoToken {
        /// `host:port`.
        server: String,
    },
    /// A server on another machine has to prove the token.
    Unprotected {
        /// `host:port`.
        server: String,
    },
    /// The peer is something else, or speaks another version.
    Protocol {
        /// `host:port`.
        server: String,
        /// What it did.
        source: ProtocolError,
    },
    /// The caller was interrupted, by Ctrl-C for example.
    Interrupted,
}

/// Why a call gave no response.
#[derive(Debug)]
pub enum CallError {
    /// There was no connection.
    Connect(ConnectError),
    /// The connection broke while the call was under way.
    Lost {
        /// `host:port`.
        server: String,
        /// How it broke.
        reason: Lost,
    },
    /// The caller's time limit passed.
    Timeout {
        /// `host:port`.
        server: String,
        /// The limit.
        after: Duration,
        /// Whether the server had accepted the call.
        accepted: bool,
    },
    /// The task ended without a response.
    NoResponse {
        /// `host:port`.
        server: String,
    },
    /// The server says why.
    Failed {
        /// `host:port`.
        server: String,
        /// What it says.
        failure: Box<Failure>,
        /// The exception itself, where the server could send it.
        object: Option<Box<Delivered>>,
    },
    /// The server answered, and this process has no memory for what it said.
    Memory {
        /// `host:port`.
        server: String,
        /// Length of the answer, in bytes.
        bytes: u64,
    },
    /// The message breaks a limit of the protocol; nothing was sent.
    Message(ProtocolError),
    /// The caller is a task that the server would have to end before it can answer; nothing was sent.
    WouldDeadlock {
        /// `host:port`.
        server: String,
    },
    /// The caller was interrupted, by Ctrl-C for example.
    Interrupted,
}

/// How a connection broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// The server closed it, most likely because it ended.
    Closed,
    /// The operating system reported an error.
    Io(io::ErrorKind),
    /// The server gave no sign of life for this long, though it was asked for one.
    Silent(Duration),
    /// The server broke the protocol.
    Protocol(ProtocolError),
    /// This side closed it.
    Dropped,
    /// This process was forked while the call was under way.
    Forked,
}

impl ConnectError {
    /// Whether the server does not run, or takes no more calls.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NotRunning { .. } | Self::NoSuchName { .. } | Self::Stopping { .. })
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host, source } => {
                write!(f, "the host name '{host}' cannot be resolved: {}", WithLimit(source))
            }
            Self::NotRunning { server } => {
                write!(f, "no server listens on {server}: start one there, or check host and port")
            }
            Self::NoSuchName { name, unreadable: None } => write!(
                f,
                "no server named '{name}' runs here: `bgpy ps` lists those that do; a server on \
                 another machine is reached by its host and port"
            ),
            Self::NoSuchName { name, unreadable: Some(path) } => write!(
                f,
                "no server named '{name}' is found: '{}' is no entry of a server any more, and may have \
                 been its own. A server that runs puts it right within seconds; `bgpy doctor` says more",
                path.display()
            ),
            Self::Registry { server, doubt } => write!(f, "{server} cannot be looked up: {doubt}"),
            Self::Stopping { server } => Stopping(server).fmt(f),
            Self::Restarting { server, after, failing } => {
                let after = Seconds(*after);
                write!(f, "{server} is being started again, and was not back within {after}: ")?;
                match failing {
                    Some(failing) => failing.fmt(f)?,
                    None => f.write_str("it is not ready yet")?,
                }
                f.write_str("; its log tells more")
            }
            Self::Io { server, source } => {
                write!(f, "cannot connect to {server}: {}", WithLimit(source))
            }
            Self::Timeout { server, after, process: Some(pid) } => write!(
                f,
                "{server} did not answer within {}: its process {pid} is there, but is stopped or has \
                 too much to do",
                Seconds(*after)
            ),
            Self::Timeout { server, after, process: None } => write!(
                f,
                "{server} did not answer within {}: check the address and whether a firewall is \
                 in between",
                Seconds(*after)
            ),
            Self::Cut { server } => write!(
                f,
                "the connection to {server} was closed before it could tell who it is, each time: it may be \
                 about to end, or have too many connections, or something in between closes them"
            ),
            Self::Auth { server, token: true } => write!(
                f,
                "{server} did not accept the token: use the one that the server was started with"
            ),
            Self::Auth { server, token: false } => write!(
                f,
                "{server} wants a token, and none was given or found: pass token=... or set \
                 BGPY_TOKEN to the one that the server was started with"
            ),
            Self::NoToken { server } => write!(
                f,
                "{server} may be anybody's, as no token was given or found to tell by, so nothing was \
                 sent: pass token=... or set BGPY_TOKEN to the one that your server was started with, or \
                 pass auth=False if it was started so"
            ),
            Self::Unprotected { server } => write!(
                f,
                "{server} is on another machine, and auth=False is for servers on this one: pass \
                 the token that it was started with"
            ),
            Self::Protocol { server, source: source @ ProtocolError::Version { .. } } => {
                write!(f, "{server}: {source}; install the same version of bgpy on both sides")
            }
            Self::Protocol { server, source: source @ ProtocolError::NotBgpy } => {
                write!(f, "{server}: {source}: another program listens there; check host and port")
            }
            Self::Protocol { server, source } => write!(f, "{server}: {source}"),
            Self::Interrupted => f.write_str("interrupted while connecting"),
        }
    }
}

/// What is said of a server that takes no more calls.
struct Stopping<'a>(&'a str);

impl fmt::Display for Stopping<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.0;
        write!(
            f,
            "{server} is stopping and takes no more calls: wait for its end (`bgpy wait {server} --for \
             exit`), then start another"
        )
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Lost { server, reason } => {
                write!(
                    f,
                    "the connection to {server} was lost ({reason}) before the call was answered: it \
                     may or may not have run"
                )?;
                match reason {
                    Lost::Closed | Lost::Io(_) | Lost::Silent(_) => write!(
                        f,
                        "; `bgpy status {server}` and `bgpy logs {server}` tell what became of the \
                         server"
                    ),
                    Lost::Protocol(_) | Lost::Dropped | Lost::Forked => Ok(()),
                }
            }
            Self::Timeout { server, after, accepted: true } => write!(
                f,
                "{server} accepted the call but did not answer within {}: it runs to its end if it \
                 has begun, and is dropped otherwise",
                Seconds(*after)
            ),
            Self::Timeout { server, after, accepted: false } => write!(
                f,
                "{server} did not answer within {}: the call may or may not have run",
                Seconds(*after)
            ),
            Self::NoResponse { server } => write!(
                f,
                "the task on {server} ended without a response: let it call respond(...), or do \
                 not wait for one"
            ),
            Self::Failed { server, failure, .. } if failure.code == FailureCode::Stopping => {
                Stopping(server).fmt(f)
            }
            Self::Failed { server, failure, .. } => write!(f, "{server}: {failure}"),
            Self::Memory { server, bytes } => write!(
                f,
                "there is not enough memory for the answer of {server}, which has {bytes} bytes"
            ),
            Self::Message(error) => write!(f, "the message cannot be sent: {error}"),
            Self::WouldDeadlock { server } => write!(
                f,
                "{server} cannot answer before this task has ended, because it runs one task at a \
                 time: do not wait for it here; execute(...) without await_response queues a call"
            ),
            Self::Interrupted => f.write_str("interrupted while waiting for an answer"),
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed by the server"),
            Self::Io(kind) => kind.fmt(f),
            Self::Silent(time) => write!(f, "no sign of life for {}", Seconds(*time)),
            Self::Protocol(error) => error.fmt(f),
            Self::Dropped => f.write_str("closed by this client"),
            Self::Forked => f.write_str(
                "it is the parent's: this process was forked while the call was under way",
            ),
        }
    }
}

impl std::error::Error for ConnectError {}
impl std::error::Error for CallError {}

impl From<ConnectError> for CallError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

/// A time as a person would say it.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", (self.0.as_secs_f64() * 1000.0).round() / 1000.0)
    }
}

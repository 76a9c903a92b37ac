//! Why no connection was established.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bgpy_proto::ProtocolError;
use thiserror::Error;

use super::words::Stopping;
use crate::duration::{age, shown};
use crate::name::Name;
use crate::platform::WithLimit;
use crate::restart::Failing;
use crate::target::Target;

/// Why no connection was established.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The host name cannot be resolved.
    #[error("the host name '{host}' cannot be resolved: {}", WithLimit(source))]
    Resolve {
        /// The name.
        host: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// Nothing listens there.
    #[error("no server listens on {server}: start one there, or check {}", place(server))]
    NotRunning {
        /// The target, as the user named it.
        server: String,
    },
    /// This user has no running server with this name on this machine.
    #[error("{}", Absent { name, unreadable: unreadable.as_deref(), hint: hint.as_ref() })]
    NoSuchName {
        /// The name.
        name: Name,
        /// Something in the place of an entry, which may have been its entry.
        unreadable: Option<PathBuf>,
        /// What the registry knows that explains it.
        hint: Option<AbsenceHint>,
    },
    /// Others may have written to the registry, so it cannot be trusted.
    #[error("{server} cannot be looked up: {doubt}")]
    Registry {
        /// As the user named it.
        server: String,
        /// Which directory it is, and what is wrong with it.
        doubt: String,
    },
    /// The server is stopping and accepts no more calls; nothing was sent.
    #[error("{}", Stopping(server, hindrance.as_ref()))]
    Stopping {
        /// As the user named it.
        server: String,
        /// Why it has not ended, if it is a server of this user on this machine.
        hindrance: Option<Hindrance>,
    },
    /// The server has failed and did not restart in time; nothing was sent.
    #[error("{server} is being restarted and was not back within {}: {}; see its log",
        shown(*after),
        failing.as_ref().map_or_else(|| "it is not ready yet".to_owned(), ToString::to_string))]
    Restarting {
        /// As the user named it.
        server: String,
        /// How long the client waited.
        after: Duration,
        /// Its failures, if its supervisor has recorded them.
        failing: Option<Failing>,
    },
    /// An error of the network or the operating system.
    #[error("cannot connect to {server}: {}", WithLimit(source))]
    Io {
        /// The target, as the user named it.
        server: String,
        /// The error.
        source: io::Error,
    },
    /// Connecting or the handshake took too long.
    #[error("{server} did not answer within {}: {}", shown(*after), Unanswered(*process, *connected))]
    Timeout {
        /// The target, as the user named it.
        server: String,
        /// How long the client tried.
        after: Duration,
        /// The process that did not answer, if it is on this machine.
        process: Option<u32>,
        /// Whether something had accepted the connection.
        connected: bool,
    },
    /// The connection ended during each attempt at the handshake.
    #[error(
        "the connection to {server} was closed during the handshake, each time: the server may be about to \
         end or have too many connections, or a proxy or firewall in between closes connections"
    )]
    Cut {
        /// As the user named it.
        server: String,
    },
    /// What listens there accepts connections and answers nothing, not even the question who is there.
    #[error("no bgpy server answers on {server}: {}; check host and port", Unheard(*after))]
    Silent {
        /// As the user named it.
        server: String,
        /// How long it left a connection open; `None` if it closed every one.
        after: Option<Duration>,
    },
    /// The two sides have different tokens.
    #[error("{server} {}",
        if *token {
            "did not accept the token: use the one that the server was started with"
        } else {
            "requires a token, and none was given or found"
        })]
    Auth {
        /// The target, as the user named it.
        server: String,
        /// Whether the client had a token at all.
        token: bool,
    },
    /// No token is known, so the server cannot be authenticated.
    #[error("{server} cannot be verified{}; nothing was sent",
        if *replaced {
            ": it does not know the token that was proven to this client before, so it is another server, or \
             was started again with another token"
        } else {
            ", because no token was given or found for it"
        })]
    NoToken {
        /// The target, as the user named it.
        server: String,
        /// Whether a server has proven a token to this client before.
        replaced: bool,
    },
    /// A server on another machine must prove the token.
    #[error("{server} is on another machine, so it must prove its token")]
    Unprotected {
        /// The target, as the user named it.
        server: String,
    },
    /// The peer is another program, or speaks another version of the protocol.
    #[error("{server}: {source}{}", advice(source))]
    Protocol {
        /// The target, as the user named it.
        server: String,
        /// The violation of the protocol.
        source: ProtocolError,
    },
    /// The caller was interrupted, for example by Ctrl-C.
    #[error("interrupted while connecting")]
    Interrupted,
}

impl ConnectError {
    /// Whether the server is not running, or accepts no more calls.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NotRunning { .. } | Self::NoSuchName { .. } | Self::Stopping { .. })
    }
}

/// Why a server that accepts no more calls has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hindrance {
    /// Its process.
    pub pid: u32,
    /// What the process does or waits for, as text.
    pub what: String,
}

/// What is known about a name that no running server has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AbsenceHint {
    /// The last server of this name has ended.
    Ended {
        /// How long ago.
        ago: Duration,
        /// How, as text.
        how: String,
    },
    /// A running server has a similar name.
    Similar(Name),
}

/// The message for a name that no server has.
struct Absent<'a> {
    name: &'a Name,
    unreadable: Option<&'a Path>,
    hint: Option<&'a AbsenceHint>,
}

impl fmt::Display for Absent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match (self.unreadable, self.hint) {
            (None, Some(AbsenceHint::Ended { ago, how })) => write!(
                f,
                "no server named '{name}' runs here: it ended {} ago ({how}); `bgpy logs {name}` shows its log",
                age(*ago)
            ),
            (None, Some(AbsenceHint::Similar(similar))) => {
                write!(f, "no server named '{name}' runs here: did you mean '{similar}'?")
            }
            (None, None) => write!(
                f,
                "no server named '{name}' runs here: `bgpy ps` lists those that do; a server on \
                 another machine is reached by its host and port"
            ),
            (Some(path), _) => write!(
                f,
                "no server named '{name}' was found: the registry entry '{}' is damaged; it may be this \
                 server's. A running server repairs its entry within seconds; `bgpy doctor` says more",
                path.display()
            ),
        }
    }
}

/// Why a server may not have answered; the process is known if it is on this machine.
struct Unanswered(Option<u32>, bool);

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(Some(pid), _) => {
                write!(f, "its process {pid} exists, but is stopped or overloaded")
            }
            Self(None, true) => f.write_str(
                "something accepted the connection and sent nothing: a server that is stopped or \
                 overloaded, or another program",
            ),
            Self(None, false) => {
                f.write_str("check the address, and whether a firewall is in between")
            }
        }
    }
}

/// What listens where connections are accepted and nothing is answered.
struct Unheard(Option<Duration>);

impl fmt::Display for Unheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(after) => write!(
                f,
                "connections are accepted, but nothing was sent within {}; another program listens there, \
                 or a server that is stopped or overloaded",
                shown(after)
            ),
            None => f.write_str(
                "every connection is closed at once; another program listens there, such as a database, or \
                 a server that is about to end or has too many connections",
            ),
        }
    }
}

/// What to check about a target on which nothing listens.
fn place(server: &str) -> &'static str {
    match server.parse() {
        Ok(Target::Socket(_)) => "the path",
        _ => "host and port",
    }
}

fn advice(error: &ProtocolError) -> &'static str {
    match error {
        ProtocolError::Version { .. } => "; install the same version of bgpy on both sides",
        ProtocolError::NotBgpy => ": another program listens there; check host and port",
        _ => "",
    }
}

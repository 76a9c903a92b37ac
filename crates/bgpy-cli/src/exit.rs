//! The exit codes, and which error leads to which.

use bgpy::error::Lost;
use bgpy::{CallError, ConnectError, FailureCode, ServeError, StartError};

/// The exit code of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Success.
    Done = 0,
    /// Any failure without a code of its own.
    Failed = 1,
    /// Wrong arguments.
    Usage = 2,
    /// There is no such server, or it is not running.
    NotRunning = 3,
    /// Timed out.
    TimedOut = 4,
    /// The server did not accept the token, or none was found.
    NotAuthenticated = 5,
    /// The peer is not a bgpy server, or is of another version.
    ProtocolMismatch = 6,
    /// Interrupted by the user; a shell reports the same code for Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<&ConnectError> for Exit {
    fn from(error: &ConnectError) -> Self {
        match error {
            ConnectError::NotRunning { .. }
            | ConnectError::NoSuchName { .. }
            | ConnectError::Stopping { .. } => Self::NotRunning,
            ConnectError::Timeout { .. } | ConnectError::Restarting { .. } => Self::TimedOut,
            ConnectError::Auth { .. } | ConnectError::NoToken { .. } => Self::NotAuthenticated,
            ConnectError::Unprotected { .. } => Self::Usage,
            ConnectError::Protocol { .. } | ConnectError::Silent { .. } => Self::ProtocolMismatch,
            ConnectError::Interrupted => Self::Interrupted,
            _ => Self::Failed,
        }
    }
}

impl From<&CallError> for Exit {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::Connect(error) => error.into(),
            CallError::Timeout { .. } | CallError::JobTimeout { .. } => Self::TimedOut,
            CallError::Failed { failure, .. } if failure.code == FailureCode::Stopping => {
                Self::NotRunning
            }
            CallError::Lost { reason: Lost::Protocol(_), .. } => Self::ProtocolMismatch,
            CallError::JobUnsure { source, .. } => Self::from(&**source),
            CallError::Interrupted => Self::Interrupted,
            _ => Self::Failed,
        }
    }
}

impl From<&ServeError> for Exit {
    fn from(error: &ServeError) -> Self {
        match error {
            // Other arguments would work.
            ServeError::WeakToken { .. } | ServeError::Unprotected { .. } => Self::Usage,
            _ => Self::Failed,
        }
    }
}

impl From<&StartError> for Exit {
    fn from(error: &StartError) -> Self {
        match error {
            StartError::Timeout { .. } | StartError::StillEnding { .. } => Self::TimedOut,
            StartError::Replaced { source, .. } => (&**source).into(),
            StartError::Interrupted => Self::Interrupted,
            _ => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use bgpy::Failure;

    use super::*;

    fn server() -> String {
        "127.0.0.1:1".to_owned()
    }

    #[test]
    fn errors_of_connecting_have_their_codes() {
        let after = Duration::from_secs(1);
        let source = io::Error::other("no");
        for (error, code) in [
            (ConnectError::Resolve { host: "nowhere".into(), source }, 1),
            (ConnectError::NotRunning { server: server() }, 3),
            (ConnectError::Stopping { server: server(), hindrance: None }, 3),
            (ConnectError::Io { server: server(), source: io::Error::other("no") }, 1),
            (ConnectError::Timeout { server: server(), after, process: None, connected: false }, 4),
            (ConnectError::Restarting { server: server(), after, failing: None }, 4),
            (ConnectError::Cut { server: server() }, 1),
            (ConnectError::Silent { server: server(), after: None }, 6),
            (ConnectError::Silent { server: server(), after: Some(after) }, 6),
            (ConnectError::Auth { server: server(), token: true }, 5),
            (ConnectError::NoToken { server: server(), replaced: false }, 5),
            (ConnectError::Unprotected { server: server() }, 2),
            (ConnectError::Interrupted, 130),
        ] {
            assert_eq!(Exit::from(&error).code(), code, "{error}");
            assert_eq!(Exit::from(&CallError::Connect(error)).code(), code);
        }
    }

    #[test]
    fn errors_of_calls_have_their_codes() {
        let after = Duration::from_secs(1);
        let lost = |reason| {
            let instance = bgpy::Id::default();
            CallError::Lost { server: server(), reason, instance, ended: None }
        };
        let unsure = |source| {
            let (job, source) = ("order-17".to_owned(), Box::new(source));
            CallError::JobUnsure { job, is_key: true, source }
        };
        let failed = |code| {
            let failure = Box::new(Failure::new(code, "no"));
            CallError::refused(&server(), failure)
        };
        for (error, code) in [
            (CallError::Timeout { server: server(), after, accepted: true, expired: false }, 4),
            (lost(Lost::Closed), 1),
            (unsure(lost(Lost::Closed)), 1),
            (
                unsure(CallError::Timeout {
                    server: server(),
                    after,
                    accepted: false,
                    expired: false,
                }),
                4,
            ),
            (CallError::NoResponse { server: server() }, 1),
            (failed(FailureCode::Stopping), 3),
            (failed(FailureCode::Overloaded), 1),
            (CallError::Interrupted, 130),
        ] {
            assert_eq!(Exit::from(&error).code(), code, "{error}");
        }
    }

    #[test]
    fn errors_of_serving_tell_arguments_from_the_machine() {
        let address = server();
        assert_eq!(Exit::from(&ServeError::Unprotected { address: server() }), Exit::Usage);
        assert_eq!(Exit::from(&ServeError::WeakToken { address: server() }), Exit::Usage);
        assert_eq!(Exit::from(&ServeError::AddressInUse { address }), Exit::Failed);
    }
}

//! Connection errors, with advice for the command line.

use bgpy::error::{FailureKind, StartError};
use bgpy::{CallError, ConnectError, FailureCode, ServeError};

use crate::exit::Exit;
use crate::output;

/// The token option of most commands.
const TOKEN: &str = "--token-file";

/// Prints why a call failed, and what to do in a shell.
pub(crate) fn failed(error: impl Into<CallError>) -> Exit {
    let error = error.into().with_ending();
    output::error(call_error(&error), Exit::from(&error))
}

/// Describes why a call failed, and what to do in a shell.
pub(crate) fn call_error(error: &CallError) -> String {
    call_error_of(error, TOKEN)
}

/// Like [`call_error`], for a command with another token option.
pub(crate) fn call_error_of(error: &CallError, option: &str) -> String {
    match error {
        CallError::Connect(error) => connect_error_of(error, option),
        CallError::Failed { failure, .. } if failure.code == FailureCode::NotInitialized => {
            format!("{error}: a Python client can send them with initialize(...)")
        }
        error => error.to_string(),
    }
}

fn connect_error_of(error: &ConnectError, option: &str) -> String {
    let advice = match error {
        ConnectError::Auth { token: false, .. } => {
            format!(": pass {option} or set BGPY_TOKEN to the one that the server was started with")
        }
        ConnectError::NoToken { replaced: false, .. } => format!(
            ": pass {option} or set BGPY_TOKEN to the one that your server was started with, or pass \
             --no-auth if it was started with --no-auth"
        ),
        ConnectError::Unprotected { .. } => {
            ": --no-auth is for servers on this machine; pass the token that it was started with"
                .into()
        }
        _ => String::new(),
    };
    format!("{error}{advice}")
}

/// Describes why `bgpy start` failed, and what to do in a shell.
pub(crate) fn start_error(error: &StartError) -> String {
    let advice = match error {
        StartError::Reported { kind: FailureKind::NameTaken, .. } => {
            "; --replace starts this one in its place, and --exist-ok uses the running one"
        }
        StartError::Reported { kind, .. } => serve_advice(*kind),
        _ => "",
    };
    format!("{error}{advice}")
}

/// Describes why a server cannot be set up, and what to do in a shell.
pub fn serve_error(error: &ServeError) -> String {
    format!("{error}{}", serve_advice(error.kind()))
}

fn serve_advice(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::WeakToken => ", or allow this one with --allow-weak-token",
        FailureKind::Import => "; --python chooses another",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_options_of_the_command_line() {
        let server = || "127.0.0.1:1".to_owned();
        for error in [
            ConnectError::Auth { server: server(), token: false },
            ConnectError::NoToken { server: server(), replaced: false },
            ConnectError::Unprotected { server: server() },
        ] {
            let error = CallError::Connect(error);
            let asked = call_error_of(&error, "--token");
            assert!(!asked.contains("--token-file"), "{asked}");
            let text = call_error(&error);
            assert!(text.starts_with("127.0.0.1:1 ") && text.contains("token"), "{text}");
            assert!(!text.contains("token=") && !text.contains("auth="), "{text}");
        }
    }
}

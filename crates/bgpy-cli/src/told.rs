//! Errors of connections in the words of the command line: Python's name the arguments of `Client`.

use bgpy::{CallError, ConnectError};

/// Says what went wrong with a call, and what to do in a shell.
pub(crate) fn call_error(error: &CallError) -> String {
    match error {
        CallError::Connect(error) => connect_error(error),
        error => error.to_string(),
    }
}

/// Says why there is no connection, and what to do in a shell.
pub(crate) fn connect_error(error: &ConnectError) -> String {
    match error {
        ConnectError::Auth { server, token: false } => format!(
            "{server} wants a token, and none was given or found: pass --token-file or set BGPY_TOKEN \
             to the one that the server was started with"
        ),
        ConnectError::NoToken { server } => format!(
            "{server} wants a token, and none was given or found: it may be anybody's, so nothing was \
             sent; pass --token-file or set BGPY_TOKEN to the one that your server was started with, or \
             pass --no-auth if it was started so"
        ),
        ConnectError::Unprotected { server } => format!(
            "{server} is on another machine, and --no-auth is for servers on this one: pass the token \
             that it was started with"
        ),
        error => error.to_string(),
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
            ConnectError::NoToken { server: server() },
            ConnectError::Unprotected { server: server() },
        ] {
            let text = call_error(&CallError::Connect(error));
            assert!(text.starts_with("127.0.0.1:1 ") && text.contains("token"), "{text}");
            assert!(!text.contains("token=") && !text.contains("auth="), "{text}");
        }
    }
}

//! Which server a command is about, and how it is reached.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bgpy::registry::Registry;
use bgpy::survey::look_up;
use bgpy::{Client, ClientOptions, ServerInfo, Target, Token, Wait};
use clap::Args;

use crate::exit::Exit;
use crate::output;

/// Longest file that is taken for a token's, in bytes.
const TOKEN_BYTES_MAX: u64 = 64 << 10;

/// A server, and how to get at it.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// The server: its name, HOST:PORT, or the path of its socket
    #[arg(value_name = "TARGET", add = crate::completion::targets())]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) access: Access,
}

/// How long to wait, and what to show at the door.
#[derive(Debug, Args)]
pub(crate) struct Access {
    /// Wait so long at most
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,

    /// Take the token from this file [default: found for servers of this user, else BGPY_TOKEN]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

impl Access {
    /// The token that was given, if one was.
    pub(crate) fn token(&self) -> Result<Option<Token>, Exit> {
        self.token_file.as_deref().map(read_token).transpose()
    }

    /// The time that is left from now on.
    pub(crate) fn wait<'a>(&self, interrupted: &'a dyn Fn() -> bool) -> Wait<'a> {
        Wait::new(self.timeout, interrupted)
    }
}

impl Reach {
    /// A client of the server.
    pub(crate) fn client(&self) -> Result<Client, Exit> {
        let options = ClientOptions { token: self.access.token()?, ..ClientOptions::default() };
        Ok(Client::new(self.target.clone(), options))
    }

    /// The server, if it is one of this user's on this machine, whether it runs or has ended; and where
    /// that is written.
    pub(crate) fn known(&self, wait: &Wait<'_>) -> Result<(Registry, ServerInfo), Exit> {
        let registry = registry()?;
        match look_up(&registry, &self.target, wait) {
            Some(info) => Ok((registry, info)),
            None => Err(self.unknown()),
        }
    }

    /// Says that there is no such server.
    pub(crate) fn unknown(&self) -> Exit {
        let text = format_args!("no server of yours on this machine is or was {}", self.target);
        output::error(text, Exit::NotRunning)
    }
}

/// The registry of this user.
pub(crate) fn registry() -> Result<Registry, Exit> {
    Registry::of_user().map_err(|error| {
        output::error(format_args!("there is no registry of servers: {error}"), Exit::Failed)
    })
}

fn read_token(path: &Path) -> Result<Token, Exit> {
    let refuse = |text: String| {
        let path = path.display();
        output::error(format_args!("the token cannot be read from '{path}': {text}"), Exit::Usage)
    };
    let about = fs::metadata(path).map_err(|error| refuse(error.to_string()))?;
    if about.len() > TOKEN_BYTES_MAX {
        return Err(refuse(format!("it is longer than {TOKEN_BYTES_MAX} bytes")));
    }
    let text = fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    match text.lines().next().unwrap_or_default() {
        "" => Err(refuse("its first line is empty".into())),
        token => Ok(Token::new(token)),
    }
}

/// A time limit: a number of seconds above 0.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0);
    number
        .and_then(|number| Duration::try_from_secs_f64(number).ok())
        .ok_or_else(|| "give a number of seconds above 0".to_owned())
}

//! The arguments that name a server, and how to reach it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bgpy::registry::Registry;
use bgpy::survey::look_up;
use bgpy::{Client, ClientOptions, ServerInfo, Target, Token, Wait};
use clap::Args;

use crate::exit::Exit;
use crate::{World, output};

/// Maximum size of a token file, in bytes.
const TOKEN_BYTES_MAX: u64 = 64 << 10;

/// A server, and how to connect to it.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// The server: its name, HOST:PORT or socket path
    #[arg(value_name = "TARGET", add = crate::completion::targets())]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) access: Access,
}

/// Whether the server has to authenticate itself.
#[derive(Debug, Args)]
pub(crate) struct Trust {
    /// Connect to a server on this machine that requires no token, whoever runs it
    #[arg(long, conflicts_with = "token_file")]
    pub(crate) no_auth: bool,
}

/// How long to wait, and the token to authenticate with.
#[derive(Debug, Args)]
pub(crate) struct Access {
    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,

    /// Read the token from this file [default: found for your own servers, else BGPY_TOKEN]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// How long a server may take to end.
#[derive(Debug, Args)]
pub(crate) struct Grace {
    /// Give the server this many seconds to end
    #[arg(long, value_name = "SECONDS", default_value = "10", allow_negative_numbers = true,
          value_parser = seconds)]
    grace: Duration,
}

impl Access {
    /// The token from the file, if one was given.
    pub(crate) fn token(&self) -> Result<Option<Token>, Exit> {
        self.token_file.as_deref().map(read_token).transpose()
    }

    /// The options of a client.
    pub(crate) fn options(&self, trust: &Trust) -> Result<ClientOptions, Exit> {
        let (token, auth) = (self.token()?, !trust.no_auth);
        Ok(ClientOptions { token, auth, ..ClientOptions::default() })
    }

    /// The time limit, which starts now.
    pub(crate) fn wait<'a>(&self, world: &'a World<'_>) -> Wait<'a> {
        Wait::new(self.timeout, world.interrupted)
    }
}

impl Grace {
    /// The time that a server has to end, unless all waiting is over before.
    pub(crate) fn limit(&self, access: &Access) -> Duration {
        access.timeout.map_or(self.grace, |timeout| timeout.min(self.grace))
    }
}

impl Reach {
    /// A client of the server.
    pub(crate) fn client(&self, trust: &Trust) -> Result<Client, Exit> {
        Ok(Client::new(self.target.clone(), self.access.options(trust)?))
    }

    /// The server as the registry knows it, whether it runs or has ended. It must be one of this user's on
    /// this machine.
    pub(crate) fn known(&self, wait: &Wait<'_>) -> Result<(Registry, ServerInfo), Exit> {
        let registry = registry()?;
        let known = self.look_up(&registry, wait)?;
        known.map(|info| (registry, info)).ok_or_else(|| self.unknown())
    }

    /// The server as a registry knows it, if it does.
    pub(crate) fn look_up(
        &self,
        registry: &Registry,
        wait: &Wait<'_>,
    ) -> Result<Option<ServerInfo>, Exit> {
        look_up(registry, &self.target, wait).map_err(unread)
    }

    /// Prints that there is no such server.
    pub(crate) fn unknown(&self) -> Exit {
        let what = match &self.target {
            Target::Name(name) => format!("named '{name}'"),
            Target::Address(_) | Target::Socket(_) => format!("at {}", self.target),
        };
        let text = format_args!(
            "no server {what} is known on this machine: `bgpy ps -a` lists the ones that you have started"
        );
        output::error(text, Exit::NotRunning)
    }
}

/// The registry of this user, if it can be trusted.
pub(crate) fn registry() -> Result<Registry, Exit> {
    let registry = Registry::of_user().map_err(|error| {
        output::error(format_args!("cannot find the registry of servers: {error}"), Exit::Failed)
    })?;
    registry.trust().map_err(|doubt| output::error(doubt, Exit::Failed))?;
    Ok(registry)
}

/// Prints that the registry cannot be read.
pub(crate) fn unread(error: io::Error) -> Exit {
    output::error(error, Exit::Failed)
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

/// The shortest time limit.
const SHORTEST: Duration = Duration::from_nanos(1);

/// The longest time limit, which no clock reaches; it is exact as a float.
const LONGEST: Duration = Duration::from_secs(1 << 63);

/// Parses a time limit above 0: a number of seconds, or of the unit that follows it.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = &text[number.len()..];
    let scale = match unit {
        "ms" => Some(0.001),
        "" | "s" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    let number = number.parse().ok().filter(|number: &f64| *number > 0.0 && number.is_finite());
    number
        .zip(scale)
        .map(|(number, scale)| number * scale)
        // Values beyond the resolution or range of a clock are clamped.
        .map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).max(SHORTEST))
        .ok_or_else(|| {
            "use a number of seconds above 0, or a duration such as 500ms, 10s, 2m or 1h".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_limits_have_units() {
        for (text, ms) in [("2", 2000), ("0.5", 500), ("10s", 10_000), ("1.5m", 90_000)] {
            assert_eq!(seconds(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(seconds("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("1h"), Ok(Duration::from_secs(3600)));
        for long in ["99999999999999999999", "1e19", "1e308", "1e308h", "1e30ms"] {
            let seconds = seconds(long).unwrap();
            assert!(seconds > Duration::from_secs(1 << 62), "{long}");
            assert!(Duration::try_from_secs_f64(seconds.as_secs_f64()).is_ok(), "{long}");
        }
        assert_eq!(seconds("1e-30"), Ok(SHORTEST));
        for wrong in ["", "0", "-1", "s", "10 s", "10x", "inf", "nan", "1e999", "2ss", "-1e30"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}

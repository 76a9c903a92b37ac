//! Finding and reaching a server: the arguments that name it, and what all commands do with them.

pub(crate) mod advice;
pub(crate) mod class_completion;
pub(crate) mod completion;
pub(crate) mod restart;
pub(crate) mod shutdown;
pub(crate) mod token;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bgpy::duration;
use bgpy::registry::Registry;
use bgpy::survey::look_up;
use bgpy::{Client, ClientOptions, Name, ServerInfo, Target, Token, Wait};
use clap::Args;
use serde_json::json;

use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output;
use crate::output::view::server_json;

/// A server, and how to connect to it.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The server: its name, HOST:PORT or socket path
    #[arg(value_name = "TARGET", add = completion::targets())]
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
    #[command(flatten)]
    pub(crate) limit: Timeout,

    #[command(flatten)]
    pub(crate) secret: TokenFile,
}

/// How long to wait.
#[derive(Debug, Args)]
pub(crate) struct Timeout {
    /// Give up after this time, e.g. 10s or 2m
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = duration::read)]
    pub(crate) timeout: Option<Duration>,
}

/// The token to authenticate with.
#[derive(Debug, Args)]
pub(crate) struct TokenFile {
    /// Read the token from this file [default: found for your own servers, else BGPY_TOKEN]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// How long a server may take to end by default.
const GRACE: &str = "10s";

/// How long a server may take to end by default.
pub(crate) fn default_grace() -> Duration {
    duration::read(GRACE).expect("it is a duration")
}

/// How long a server may take to end.
#[derive(Debug, Args)]
pub(crate) struct Grace {
    /// Give the server this much time to end
    #[arg(long, value_name = "DURATION", default_value = GRACE, allow_negative_numbers = true,
          value_parser = duration::read)]
    grace: Duration,
}

impl Timeout {
    /// The time limit, which starts now. What is waited for for long is told.
    pub(crate) fn wait<'a>(&self, context: &'a Context<'_>) -> Wait<'a> {
        Wait::new(self.timeout, context.interrupted).with_notices(context.notices)
    }
}

impl TokenFile {
    /// The token from the file, if one was given.
    pub(crate) fn token(&self) -> Result<Option<Token>, Exit> {
        self.token_file.as_deref().map(token::read_file).transpose()
    }

    /// The options of a client.
    pub(crate) fn options(&self, trust: &Trust) -> Result<ClientOptions, Exit> {
        let (token, auth) = (self.token()?, !trust.no_auth);
        Ok(ClientOptions { token, auth, ..ClientOptions::default() })
    }
}

impl Access {
    /// The token from the file, if one was given.
    pub(crate) fn token(&self) -> Result<Option<Token>, Exit> {
        self.secret.token()
    }

    /// The options of a client.
    pub(crate) fn options(&self, trust: &Trust) -> Result<ClientOptions, Exit> {
        self.secret.options(trust)
    }

    /// The time limit, which starts now.
    pub(crate) fn wait<'a>(&self, context: &'a Context<'_>) -> Wait<'a> {
        self.limit.wait(context)
    }
}

impl Grace {
    /// The grace time, which `--timeout` may shorten.
    pub(crate) fn limit(&self, access: &Access) -> Duration {
        access.limit.timeout.map_or(self.grace, |timeout| timeout.min(self.grace))
    }
}

impl ServerArgs {
    /// A client of the server.
    pub(crate) fn client(&self, trust: &Trust) -> Result<Client, Exit> {
        Ok(Client::new(self.target.clone(), self.access.options(trust)?))
    }

    /// The server as the registry knows it, whether it runs or has ended. It must be one of this user's on
    /// this machine.
    pub(crate) fn known(&self, wait: &Wait<'_>) -> Result<(Registry, ServerInfo), Exit> {
        // A file that cannot be read is an error even if this server needs no token.
        self.access.token()?;
        known(&self.target, wait)
    }

    /// The server as a registry knows it, if it does.
    pub(crate) fn look_up(
        &self,
        registry: &Registry,
        wait: &Wait<'_>,
    ) -> Result<Option<ServerInfo>, Exit> {
        self.access.token()?;
        look_up(registry, &self.target, wait).map_err(unread)
    }

    /// Prints that there is no such server.
    pub(crate) fn unknown(&self, registry: &Registry) -> Exit {
        unknown(&self.target, registry)
    }
}

/// A server of this user on this machine, whether it runs or has ended.
pub(crate) fn known(target: &Target, wait: &Wait<'_>) -> Result<(Registry, ServerInfo), Exit> {
    let registry = registry()?;
    let known = look_up(&registry, target, wait).map_err(unread)?;
    match known {
        Some(info) => Ok((registry, info)),
        None => Err(unknown(target, &registry)),
    }
}

fn unknown(target: &Target, registry: &Registry) -> Exit {
    let (what, similar) = match target {
        Target::Name(name) => (format!("named '{name}'"), name.nearest(names(registry))),
        Target::Address(_) | Target::Socket(_) => (format!("at {target}"), None),
    };
    let hint = match similar {
        Some(similar) => format!("did you mean '{similar}'?"),
        None => "`bgpy ps -a` lists the ones that you have started".to_owned(),
    };
    output::error(
        format_args!("no server {what} is known on this machine: {hint}"),
        Exit::NotRunning,
    )
}

/// The names of all servers that run or have ended.
fn names(registry: &Registry) -> impl Iterator<Item = Name> {
    let entries = registry.entries().into_iter().chain(registry.ended());
    entries.flatten().filter_map(|entry| entry.name)
}

/// A server that was just started, as JSON: all that is known, or the least if it is not found any more.
pub(crate) fn started_json(
    target: &Target,
    pid: u32,
    address: SocketAddr,
    wait: &Wait<'_>,
) -> serde_json::Value {
    let registry = Registry::of_user().ok();
    let info = registry.and_then(|registry| look_up(&registry, target, wait).ok()?);
    let found = info.filter(|info| !info.has_ended());
    found.as_ref().map_or_else(
        || json!({ "name": target.to_string(), "pid": pid, "address": address.to_string() }),
        server_json,
    )
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

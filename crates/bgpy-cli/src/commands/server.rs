//! `bgpy server`: runs a server in the foreground.

use std::path::PathBuf;

use bgpy::Level;
use bgpy::address::Address;
use bgpy::config::Config;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::arguments::file;
use crate::connect::{class_completion, token};
use crate::exit::Exit;
use crate::origin::{self, With};
use crate::{Interpreter, output};

/// Run a server in the foreground, until a client or Ctrl-C ends it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bgpy server 127.0.0.1 54321                   your own clients on this machine need no token
  BGPY_TOKEN=... bgpy server 0.0.0.0 54321      clients on other machines need the same token
  bgpy server 127.0.0.1 0 -i tasks.py -f s.log  a free port, tasks from a file, a log file")]
pub(crate) struct Server {
    /// Host name or address to listen on; 0.0.0.0 means all addresses of this machine
    #[arg(value_name = "HOST", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) host: String,

    /// Port to listen on; 0 picks a free one
    #[arg(value_name = "PORT", allow_negative_numbers = true)]
    pub(crate) port: u16,

    /// Prompt for the token, without echo [default: BGPY_TOKEN, else a random one]
    #[arg(short, long, conflicts_with = "no_auth")]
    pub(crate) token: bool,

    /// Lowest level to log: DEBUG, INFO, WARNING, ERROR or CRITICAL
    #[arg(short, long, value_name = "LEVEL", default_value_t = Level::Info)]
    pub(crate) log_level: Level,

    /// Append the log to this file [default: standard error]
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,

    /// Load the tasks, or with FILE:CLASS the class, from this Python file at the start
    #[arg(short, long, value_name = "FILE[:CLASS]", add = class_completion::of_origin())]
    pub(crate) init_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) with: With,

    /// Require no token: anyone who can connect can run any code. Loopback addresses only
    #[arg(long)]
    pub(crate) no_auth: bool,

    /// Allow a guessable token on an address that other machines can reach
    #[arg(long)]
    pub(crate) allow_weak_token: bool,
}

impl Server {
    /// Prompts for the token if necessary, and serves.
    pub(crate) fn run(self, interpreter: &dyn Interpreter) -> Result<u8, Exit> {
        let token = token::asked_for(self.token, &|| interpreter.interrupted())?;
        if self.no_auth {
            output::no_authentication(&Address::new(self.host.as_str(), self.port));
        }
        let origin = file(self.init_file).map(|path| origin::split(path.as_os_str()));
        let (init_file, init_object) = match origin {
            Some((place, object)) => (Some(place.into()), object),
            None => (None, None),
        };
        let init_arguments = self.with.arguments(init_object.as_deref())?;
        Ok(interpreter.serve(Config {
            host: self.host,
            port: self.port,
            token: token.map(|token| token.expose().to_owned()),
            auth: !self.no_auth,
            allow_weak_token: self.allow_weak_token,
            log_level: self.log_level.as_str().to_owned(),
            log_file: file(self.log_file),
            init_file,
            init_object,
            init_arguments,
            ..Config::default()
        }))
    }
}

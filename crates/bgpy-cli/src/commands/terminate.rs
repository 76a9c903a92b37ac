//! `bgpy terminate`: stops a server by host and port.

use std::path::PathBuf;
use std::time::Duration;

use bgpy::address::Address;
use bgpy::duration;
use bgpy::shutdown::see_out;
use bgpy::{Client, ClientOptions, Level, Log, Target, Wait};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::arguments::file;
use crate::connect::shutdown::{StopError, end};
use crate::connect::{advice, token};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output;

/// Stop a server by host and port, as in bgpy 0.3
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bgpy terminate 127.0.0.1 54321                one of your servers on this machine
  BGPY_TOKEN=... bgpy terminate gpu7 54321      a server on another machine
  bgpy terminate 127.0.0.1 54321 --timeout 10s  give up after ten seconds

Exit codes: 0 ended, 1 exit_task or the process failed, 2 wrong arguments, 3 not running, 4 timed out, \
5 wrong token, 6 not a bgpy server or another version, 130 interrupted.")]
pub(crate) struct Terminate {
    /// Host name or address of the server
    #[arg(value_name = "HOST", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) host: String,

    /// Port of the server
    #[arg(
        value_name = "PORT",
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub(crate) port: u16,

    /// Prompt for the token, without echo [default: found for your own servers, else BGPY_TOKEN]
    #[arg(short, long, conflicts_with = "no_auth")]
    pub(crate) token: bool,

    /// Connect to a server on this machine that requires no token, whoever runs it
    #[arg(long)]
    pub(crate) no_auth: bool,

    /// Lowest level to log: DEBUG, INFO, WARNING, ERROR or CRITICAL
    #[arg(short, long, value_name = "LEVEL", default_value_t = Level::Info)]
    pub(crate) log_level: Level,

    /// Append the log to this file [default: no log]
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,

    /// Give up after this time, e.g. 10s or 2m [default: wait until the server has ended]
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = duration::read)]
    pub(crate) timeout: Option<Duration>,
}

impl Terminate {
    /// Stops the server and waits until it has ended.
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let token = token::asked_for(self.token, context.interrupted)?;
        let log = match file(self.log_file) {
            None => Log::silent(),
            Some(path) => Log::file(self.log_level, &path).map_err(|error| {
                let path = path.display();
                let text = format_args!("cannot write the log file '{path}': {error}");
                output::error(text, Exit::Failed)
            })?,
        };
        let server = Target::Address(Address::new(self.host, self.port));
        let options = ClientOptions {
            token,
            auth: !self.no_auth,
            log: log.clone(),
            ..ClientOptions::default()
        };
        let client = Client::new(server.clone(), options);
        // The time limit starts here: typing the token does not count.
        let wait = Wait::new(self.timeout, context.interrupted).with_notices(context.notices);
        match terminate(&client, &wait) {
            Ok(()) => {
                let text = format!("Terminated {server}.");
                log.info(&text);
                output::note(text);
                Ok(())
            }
            Err(problem) => {
                let text = match &problem {
                    // This command has another token option.
                    StopError::Call(error) => advice::call_error_of(error, "--token"),
                    problem => problem.text(&server),
                };
                log.error(&text);
                Err(output::error(text, problem.exit()))
            }
        }
    }
}

fn terminate(client: &Client, wait: &Wait<'_>) -> Result<(), StopError> {
    // A server whose exit_task failed ends nevertheless.
    let mut failed = Ok(());
    let seen = see_out(client.target(), wait, |wait| match end(client, wait) {
        Err(problem @ StopError::ExitTask(_)) => {
            failed = Err(problem);
            Ok(())
        }
        ended => ended,
    });
    let ending = seen?.map_err(StopError::Stopping)?;
    failed?;
    match ending.filter(|ending| !ending.orderly) {
        Some(ending) => Err(StopError::Failed(ending)),
        None => Ok(()),
    }
}

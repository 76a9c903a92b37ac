//! `bgpy terminate`: ends a server.

use std::path::PathBuf;
use std::time::Duration;

use bgpy::address::Address;
use bgpy::error::Lost;
use bgpy::{
    CallError, CallKind, Client, ClientOptions, Failure, FailureCode, Journal, Level, Link, Value,
    Wait, Want,
};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::arguments::file;
use crate::exit::Exit;
use crate::{output, token};

/// End a server: it finishes what it has accepted, runs exit_task, and ends
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bgpy terminate 127.0.0.1 54321               end a server of this user and machine
  BGPY_TOKEN=... bgpy terminate gpu7 54321     end one on another machine
  bgpy terminate 127.0.0.1 54321 --timeout 10  wait ten seconds for its end at most

Exit codes: 0 it has ended, 1 failed, 2 wrong arguments, 3 no server there, 4 timed out,
5 wrong token, 6 no bgpy server or one of another version, 130 interrupted.")]
pub(crate) struct Terminate {
    /// Name or address of the server's machine
    #[arg(value_name = "HOST", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) host: String,

    /// The server's port
    #[arg(
        value_name = "PORT",
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub(crate) port: u16,

    /// Ask for the token, hidden [default: found for servers of this user, else BGPY_TOKEN]
    #[arg(short, long)]
    pub(crate) token: bool,

    /// Log what matters this much: DEBUG, INFO, WARNING, ERROR or CRITICAL
    #[arg(short, long, value_name = "LEVEL", default_value_t = Level::Info)]
    pub(crate) log_level: Level,

    /// Append the log to this file [default: no log]
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,

    /// Wait so long at most [default: until the server has ended]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
}

/// Why the server did not end as it should.
#[derive(Debug)]
enum Problem {
    /// It may well not have ended.
    Call(CallError),
    /// It is about to end, but something still runs.
    Slow(Duration),
    /// It has ended, but its `exit_task` failed.
    ExitTask(Failure),
}

impl Terminate {
    /// Ends the server and waits for its end.
    pub(crate) fn run(self, interrupted: &dyn Fn() -> bool) -> Exit {
        let token = match token::asked_for(self.token, interrupted) {
            Ok(token) => token,
            Err(exit) => return exit,
        };
        let journal = match file(self.log_file) {
            None => Journal::silent(),
            Some(path) => match Journal::file(self.log_level, &path) {
                Ok(journal) => journal,
                Err(error) => {
                    let path = path.display();
                    let text = format_args!("cannot write the log file '{path}': {error}");
                    return output::error(text, Exit::Failed);
                }
            },
        };
        let address = Address::new(self.host, self.port);
        let options = ClientOptions { token, journal: journal.clone(), ..ClientOptions::default() };
        let client = Client::new(address.clone(), options);
        // Counted from here: how long a person types the token is their own business.
        let wait = Wait::new(self.timeout, interrupted);
        match end(&client, &wait) {
            Ok(()) => {
                let text = format!("Terminated {address}.");
                journal.info(&text);
                output::note(text);
                Exit::Done
            }
            Err(problem) => {
                let text = problem.text(&address);
                journal.error(&text);
                output::error(text, problem.exit())
            }
        }
    }
}

/// Sends EXIT and waits until the server has ended.
fn end(client: &Client, wait: &Wait<'_>) -> Result<(), Problem> {
    let link = client.link(wait).map_err(|error| Problem::Call(error.into()))?;
    let failure = send_exit(&link, wait)?;
    link.wait_closed(wait).map_err(Problem::after_acceptance)?;
    failure.map_or(Ok(()), |failure| Err(Problem::ExitTask(failure)))
}

/// Sends EXIT and waits for the end of `exit_task`, whose failure is passed on.
fn send_exit(link: &Link, wait: &Wait<'_>) -> Result<Option<Failure>, Problem> {
    let nothing = Value::Map(Vec::new()).encode().expect("an empty map is flat and short");
    let mut call =
        link.begin(CallKind::Exit, Want::All, nothing.into(), wait).map_err(Problem::Call)?;
    loop {
        match call.next(wait) {
            // What exit_task responds is for programs that know what to do with it.
            Ok(Some(_)) => {}
            Ok(None) => return Ok(None),
            Err(CallError::Failed { failure, .. }) if failure.code == FailureCode::Stopping => {
                // Somebody else was faster.
                return Ok(None);
            }
            Err(CallError::Failed { failure, .. }) if failure.code != FailureCode::Overloaded => {
                return Ok(Some(*failure));
            }
            // An exit_task that ends the process itself, for example.
            Err(CallError::Lost { reason: Lost::Closed, .. }) => return Ok(None),
            Err(error) => return Err(Problem::after_acceptance(error)),
        }
    }
}

impl Problem {
    /// Unlike other calls, an accepted EXIT is not taken back when its caller gives up.
    fn after_acceptance(error: CallError) -> Self {
        match error {
            CallError::Timeout { after, accepted: true, .. } => Self::Slow(after),
            error => Self::Call(error),
        }
    }

    fn text(&self, address: &Address) -> String {
        match self {
            Self::Call(error) => error.to_string(),
            Self::Slow(after) => format!(
                "{address} has not ended within {} s: a task still runs there; it takes no more \
                 calls and ends afterwards",
                after.as_secs_f64()
            ),
            Self::ExitTask(failure) => format!(
                "{address} has ended, but its exit_task failed: {failure}; the server's log has \
                 the traceback"
            ),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Call(error) => error.into(),
            Self::Slow(_) => Exit::TimedOut,
            Self::ExitTask(_) => Exit::Failed,
        }
    }
}

/// A time limit: a number of seconds above 0.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0);
    number
        .and_then(|number| Duration::try_from_secs_f64(number).ok())
        .ok_or_else(|| "give a number of seconds above 0".to_owned())
}

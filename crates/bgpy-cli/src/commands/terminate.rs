//! `bgpy terminate`: stops a server by host and port.

use std::path::PathBuf;
use std::time::Duration;

use bgpy::address::Address;
use bgpy::ending::see_out;
use bgpy::{Client, ClientOptions, Journal, Level, Target, Wait};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::arguments::file;
use crate::ending::{Problem, end};
use crate::exit::Exit;
use crate::reach::seconds;
use crate::{output, token, told};

/// Stop a server by host and port, as in bgpy 0.3
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bgpy terminate 127.0.0.1 54321               one of your servers on this machine
  BGPY_TOKEN=... bgpy terminate gpu7 54321     a server on another machine
  bgpy terminate 127.0.0.1 54321 --timeout 10  give up after ten seconds

Exit codes: 0 ended, 1 exit_task or the process failed, 2 wrong arguments, 3 not running, 4 timed out,
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

    /// Give up after this many seconds [default: wait until the server has ended]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
}

impl Terminate {
    /// Stops the server and waits until it has ended.
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
        let server = Target::Address(Address::new(self.host, self.port));
        let options = ClientOptions {
            token,
            auth: !self.no_auth,
            journal: journal.clone(),
            ..ClientOptions::default()
        };
        let client = Client::new(server.clone(), options);
        // The time limit starts here: typing the token does not count.
        let wait = Wait::new(self.timeout, interrupted);
        // A server whose exit_task failed ends nevertheless.
        let mut failed = None;
        let end = |wait: &Wait<'_>| match end(&client, wait) {
            Err(problem @ Problem::ExitTask(_)) => {
                failed = Some(problem);
                Ok(())
            }
            ended => ended,
        };
        let seen = see_out(&server, &wait, end);
        let (text, exit) = match seen.map(|ended| (ended, failed)) {
            Ok((Err(hindrance), _)) => {
                (format!("{server} is still stopping: {hindrance}"), Exit::TimedOut)
            }
            // This command has another token option.
            Err(Problem::Call(error)) => {
                (told::call_error_of(&error, "--token"), Exit::from(&error))
            }
            Err(problem) | Ok((Ok(_), Some(problem))) => (problem.text(&server), problem.exit()),
            Ok((Ok(ending), None)) => match ending.filter(|ending| !ending.orderly) {
                Some(ending) => (format!("{server} has ended, but failed: {ending}"), Exit::Failed),
                None => (format!("Terminated {server}."), Exit::Done),
            },
        };
        if exit == Exit::Done {
            journal.info(&text);
            output::note(text);
            exit
        } else {
            journal.error(&text);
            output::error(text, exit)
        }
    }
}

//! `bgpy terminate`: ends a server.

use std::path::PathBuf;
use std::time::Duration;

use bgpy::address::Address;
use bgpy::shutdown::see_out;
use bgpy::{Client, ClientOptions, Journal, Level, Target, Wait};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::arguments::file;
use crate::ending::{Problem, end};
use crate::exit::Exit;
use crate::reach::seconds;
use crate::{output, token, told};

/// End a server: it finishes what it has accepted, runs exit_task, and ends
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bgpy terminate 127.0.0.1 54321               end a server of this user and machine
  BGPY_TOKEN=... bgpy terminate gpu7 54321     end one on another machine
  bgpy terminate 127.0.0.1 54321 --timeout 10  wait ten seconds for its end at most

Exit codes: 0 it has ended, 1 failed, 2 wrong arguments, 3 no server there, 4 timed out,
5 wrong token, 6 not a bgpy server or one of another version, 130 interrupted.")]
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
    #[arg(short, long, conflicts_with = "no_auth")]
    pub(crate) token: bool,

    /// Talk to a server on this machine that asks for no token, whoever runs it
    #[arg(long)]
    pub(crate) no_auth: bool,

    /// Log what matters this much: DEBUG, INFO, WARNING, ERROR or CRITICAL
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
        let server = Target::Address(Address::new(self.host, self.port));
        let options = ClientOptions {
            token,
            auth: !self.no_auth,
            journal: journal.clone(),
            ..ClientOptions::default()
        };
        let client = Client::new(server.clone(), options);
        // Counted from here: how long a person types the token is their own business.
        let wait = Wait::new(self.timeout, interrupted);
        // One whose exit_task failed ends all the same.
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
            // This command has an option of its own for the token.
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

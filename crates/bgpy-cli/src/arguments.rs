//! Parses the arguments, and prints help and usage errors.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use bgpy::escape;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, CommandFactory, Parser, Subcommand};

use crate::commands::attach::Attach;
use crate::commands::call::Call;
use crate::commands::cancel::Cancel;
use crate::commands::completions::Completions;
use crate::commands::doctor::Doctor;
use crate::commands::dump::Dump;
use crate::commands::jobs::Jobs;
use crate::commands::kill::Kill;
use crate::commands::logs::Logs;
use crate::commands::methods::Methods;
use crate::commands::ping::Ping;
use crate::commands::ps::Ps;
use crate::commands::restart::Restart;
use crate::commands::result::JobResult;
use crate::commands::run::Run;
use crate::commands::server::Server;
use crate::commands::start::Start;
use crate::commands::status::ShowStatus;
use crate::commands::stop::Stop;
use crate::commands::stubs::Stubs;
use crate::commands::submit::Submit;
use crate::commands::systemd::Systemd;
use crate::commands::terminate::Terminate;
use crate::commands::token::Tokens;
use crate::commands::top::Top;
use crate::commands::version::Version;
use crate::commands::wait::WaitFor;
use crate::exit::Exit;
use crate::output;

#[derive(Debug, Parser)]
#[command(
    name = "bgpy",
    version = bgpy::VERSION,
    disable_help_flag = true,
    max_term_width = 100,
    about = "Keep a Python process alive in the background, and call it from anywhere",
    after_help = "\
Examples:
  bgpy start counter.py:Counter                 start a server with an object of this class
  bgpy ps                                       list your servers
  bgpy methods counter                          list its methods
  bgpy call counter increase by=10              call one
  bgpy logs counter -f                          follow what it prints
  bgpy stop counter                             stop it
  bgpy start tasks.py --name trainer            a server of tasks
  bgpy call trainer '{\"x\": 1}'                  call its exec_task with JSON

Name a server by its name, HOST:PORT or socket path. bgpy finds the tokens of your own servers on \
this machine; for any other server pass --token-file or set BGPY_TOKEN. Never pass a token as an \
argument: other users can see it."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// Print help
    // The short form has aligned columns.
    #[arg(short, long, global = true, action = ArgAction::HelpShort, display_order = 1000)]
    help: Option<bool>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Start(Start),
    Run(Run),
    Ps(Ps),
    Top(Top),
    Status(ShowStatus),
    Call(Call),
    Methods(Methods),
    Submit(Submit),
    Jobs(Jobs),
    Result(JobResult),
    Cancel(Cancel),
    Ping(Ping),
    Logs(Logs),
    Dump(Dump),
    Attach(Attach),
    Wait(WaitFor),
    Stop(Stop),
    Kill(Kill),
    Restart(Restart),
    Doctor(Doctor),
    Systemd(Systemd),
    Stubs(Stubs),
    Token(Tokens),
    Completions(Completions),
    Server(Server),
    Terminate(Terminate),
    Version(Version),
}

/// Parses the arguments. A request for help is an error as well, with [`Exit::Done`].
pub(crate) fn parse(arguments: &[OsString]) -> Result<Command, Exit> {
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => Ok(arguments.command),
        Err(error) if gives_token(&error) => {
            let text = "--token takes no value, because other users of the machine could read it: \
                        type the token at the prompt, or set BGPY_TOKEN";
            Err(output::error(text, Exit::Usage))
        }
        Err(error) => {
            let is_failure = error.use_stderr();
            let printed = harmless(arguments).unwrap_or(error).print();
            if is_failure {
                return Err(Exit::Usage);
            }
            output::written(printed);
            Err(Exit::Done)
        }
    }
}

/// The error with the arguments escaped, where a terminal would interpret or hide characters in them.
fn harmless(arguments: &[OsString]) -> Option<clap::Error> {
    if !io::stderr().is_terminal() {
        return None;
    }
    let shown: Vec<_> = arguments
        .iter()
        .map(|argument| OsString::from(&*escape::line(&argument.to_string_lossy())))
        .collect();
    if shown == arguments {
        return None;
    }
    // What was refused unescaped is hardly ever accepted escaped.
    Arguments::try_parse_from(&shown).err().or_else(|| {
        let text = "an argument contains characters that cannot be shown";
        Some(Arguments::command().error(ErrorKind::InvalidValue, text))
    })
}

/// The file that was given, if any; bgpy 0.3 passed `None` for no file.
pub(crate) fn file(given: Option<PathBuf>) -> Option<PathBuf> {
    given.filter(|path| path != OsStr::new("None"))
}

/// Whether `--token` was given a value; clap's message would repeat it.
fn gives_token(error: &clap::Error) -> bool {
    let argument = error.get(ContextKind::InvalidArg);
    error.kind() == ErrorKind::TooManyValues
        && matches!(argument, Some(ContextValue::String(name)) if name.contains("--token"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bgpy::Level;

    use super::*;

    fn read(line: &str) -> Result<Command, clap::Error> {
        Arguments::try_parse_from(line.split(' ')).map(|arguments| arguments.command)
    }

    fn server(line: &str) -> Server {
        match read(line) {
            Ok(Command::Server(server)) => server,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn terminate(line: &str) -> Terminate {
        match read(line) {
            Ok(Command::Terminate(terminate)) => terminate,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn refusal(line: &str) -> String {
        let error = read(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        error.to_string()
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn server_takes_short_and_long_options() {
        let short = server("bgpy server localhost 0 -t -l debug -f a.log -i tasks.py");
        assert!(short.token && !short.no_auth && !short.allow_weak_token);
        assert_eq!((short.host.as_str(), short.port), ("localhost", 0));
        assert_eq!(short.log_level, Level::Debug);
        assert_eq!(file(short.log_file), Some("a.log".into()));
        assert_eq!(file(short.init_file), Some("tasks.py".into()));
        let long = server(
            "bgpy server ::1 65535 --log-level=WARNING --log-file=a.log --init-file=tasks.py \
             --no-auth --allow-weak-token",
        );
        assert!(!long.token && long.no_auth && long.allow_weak_token);
        assert_eq!((long.port, long.log_level), (65535, Level::Warning));
    }

    #[test]
    fn none_is_no_file() {
        let old = server("bgpy server 127.0.0.1 1 --log-file=None --init-file=None");
        assert_eq!((file(old.log_file), file(old.init_file)), (None, None));
        let plain = server("bgpy server 127.0.0.1 1");
        assert_eq!((file(plain.log_file), plain.log_level), (None, Level::Info));
    }

    #[test]
    fn terminate_takes_its_options() {
        let options = terminate("bgpy terminate h 1 -t -l ERROR -f c.log --timeout 0.25");
        assert!(options.token);
        assert_eq!(options.timeout, Some(Duration::from_millis(250)));
        assert_eq!(terminate("bgpy terminate h 1").timeout, None);
    }

    #[test]
    fn a_refusal_names_what_is_wrong() {
        for (line, part) in [
            ("bgpy server h 65536", "'65536'"),
            ("bgpy server h -1", "'-1'"),
            ("bgpy server 54321 localhost", "'localhost'"),
            ("bgpy terminate h 0", "'0'"),
            ("bgpy server h 1 -l loud", "'loud'"),
            ("bgpy server h 1 --token --no-auth", "--no-auth"),
            ("bgpy server h", "<PORT>"),
            ("bgpy serve h 1", "'serve'"),
            ("bgpy terminate h 1 --timeout 0", "'0'"),
            ("bgpy terminate h 1 --timeout -3", "'-3'"),
            ("bgpy terminate h 1 --timeout inf", "'inf'"),
            ("bgpy terminate h 1 --timeout soon", "'soon'"),
        ] {
            let text = refusal(line);
            assert!(text.contains(part), "{line}: {text}");
        }
    }

    /// The commands without `-o json`; ARCHITECTURE.md says why.
    const WITHOUT_JSON: [&str; 8] =
        ["attach", "completions", "run", "server", "stubs", "systemd", "terminate", "top"];

    #[test]
    fn what_a_program_would_read_is_also_json() {
        let mut without = Vec::new();
        for command in Arguments::command().get_subcommands() {
            let mut all = std::iter::once(command).chain(command.get_subcommands());
            if !all.any(|it| it.get_arguments().any(|argument| argument.get_id() == "output")) {
                without.push(command.get_name().to_owned());
            }
        }
        without.sort();
        assert_eq!(without, WITHOUT_JSON);
    }

    #[test]
    fn a_token_as_an_argument_is_recognised() {
        assert!(gives_token(&read("bgpy server h 1 --token=secret").unwrap_err()));
        assert!(!gives_token(&read("bgpy server h 1 --no-auth=secret").unwrap_err()));
        assert!(!gives_token(&read("bgpy server h 70000").unwrap_err()));
    }

    #[test]
    fn help_and_version_are_no_errors() {
        for line in ["bgpy --help", "bgpy -h", "bgpy server -h", "bgpy terminate -h", "bgpy -V"] {
            assert_eq!(read(line).unwrap_err().exit_code(), 0, "{line}");
        }
        let version = read("bgpy --version").unwrap_err().to_string();
        assert_eq!(version, format!("bgpy {}\n", bgpy::VERSION));
    }
}

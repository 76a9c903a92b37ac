//! The settings of a server: the options that `bgpy start` and `bgpy run` share, and the configuration and the
//! process that they lead to.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bgpy::address::Address;
use bgpy::config::{Config, Launch};
use bgpy::duration;
use bgpy::{Level, Name, Restart, limits};
use clap::builder::TypedValueParser;
use clap::{Args, value_parser};

use crate::connect::{TokenFile, class_completion};
use crate::exit::Exit;
use crate::origin::{Location, Origin, With, absolute};
use crate::output;

/// The help of `--token-file` for a server.
const TOKEN_FILE: &str = "Read the token from this file [default: BGPY_TOKEN, else a random one]";

/// The settings of a server.
#[derive(Debug, Args)]
// A client finds the token of a server, but a server is given its own.
#[command(mut_arg("token_file", |argument| argument.help(TOKEN_FILE)))]
pub(crate) struct ServerSettings {
    /// Python file or module with a class, as in counter.py:Counter, or with the tasks init_task, exec_task and, if
    /// needed, exit_task
    #[arg(value_name = "FILE[:CLASS]|MODULE[:CLASS]", add = class_completion::of_origin())]
    pub(crate) origin: OsString,

    #[command(flatten)]
    pub(crate) with: With,

    /// Name of the server [default: that of the file or module]
    #[arg(long)]
    pub(crate) name: Option<Name>,

    /// Listen on this address; port 0 picks a free one, 0.0.0.0 means all addresses of this machine
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0", value_parser = bind)]
    pub(crate) bind: Address,

    /// Set an environment variable for the server; can be repeated
    #[arg(long, value_name = "K=V", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,

    /// Working directory of the server [default: the current one]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) cwd: Option<PathBuf>,

    /// Run the server with this Python interpreter, which must have bgpy installed
    #[arg(long, value_name = "FILE")]
    pub(crate) python: Option<PathBuf>,

    /// Run exit_task and end after this much time without a call
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = duration::read)]
    pub(crate) idle_timeout: Option<Duration>,

    /// How many methods with read=True run beside each other [default: CPUs + 4, at most 32]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,

    /// Restart the server when it fails: never, on-failure, or on-failure:N to tolerate N failures,
    /// and five minutes, before giving up [default N: 5]
    #[arg(long, value_name = "WHEN", default_value = "never", value_parser = restart)]
    pub(crate) restart: Restart,

    /// Restart when the file or one of your own modules that it imports changes
    #[arg(long)]
    pub(crate) watch: bool,

    /// Require no token: anyone who can connect can run any code. Loopback addresses only
    #[arg(long, conflicts_with = "token_file")]
    pub(crate) no_auth: bool,

    /// Allow a guessable token on an address that other machines can reach
    #[arg(long)]
    pub(crate) allow_weak_token: bool,

    /// Unpickle what clients send, which can run any code [default]
    #[arg(long, overrides_with = "no_pickle")]
    pub(crate) allow_pickle: bool,

    /// Accept only plain data from clients, and unpickle nothing
    #[arg(long, overrides_with = "allow_pickle")]
    pub(crate) no_pickle: bool,

    /// Reject messages from clients that are longer than this [default: 1 TiB]
    #[arg(long, value_name = "BYTES", value_parser = message_bytes())]
    pub(crate) max_message_bytes: Option<u64>,

    /// Also look for modules in this directory, after Python's own search path; can be repeated
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) search_path: Vec<OsString>,

    /// Lowest level to log: DEBUG, INFO, WARNING, ERROR or CRITICAL
    #[arg(short, long, value_name = "LEVEL", default_value_t = Level::Info)]
    pub(crate) log_level: Level,

    /// Append the log to this file
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) secret: TokenFile,
}

impl ServerSettings {
    /// The configuration of the server.
    pub(crate) fn config(&self) -> Result<Config, Exit> {
        let origin = Origin::read(&self.origin)?;
        let init_arguments = self.with.arguments(origin.object.as_deref())?;
        let name = match &self.name {
            Some(name) => name.clone(),
            None => origin.default_name().parse().map_err(|error| {
                output::error(format_args!("{error}; or pass --name"), Exit::Usage)
            })?,
        };
        let token = self.secret.token()?.map(|token| token.expose().to_owned());
        if self.no_auth {
            output::no_authentication(&self.bind);
        }
        let (init_file, init_module) = match origin.location {
            Location::File(path) => (Some(path), None),
            Location::Module(name) => (None, Some(name)),
        };
        Ok(Config {
            host: self.bind.host.clone(),
            port: self.bind.port,
            token,
            log_level: self.log_level.as_str().into(),
            log_file: self.log_file.as_deref().map(absolute).transpose()?,
            init_file,
            init_module,
            init_object: origin.object,
            init_arguments,
            name: Some(name),
            idle_timeout_s: self.idle_timeout.map(|limit| limit.as_secs_f64()),
            threads: self.threads,
            restart: self.restart,
            watch: self.watch,
            auth: !self.no_auth,
            allow_weak_token: self.allow_weak_token,
            allow_pickle: self.allow_pickle || !self.no_pickle,
            message_bytes_max: self.max_message_bytes.unwrap_or(limits::MESSAGE_BYTES_MAX),
            search_path: self.search_path.clone(),
            ..Config::default()
        })
    }

    /// The configuration of the server, and how to start its process.
    pub(crate) fn config_with_launch(
        &self,
        program: Result<PathBuf, String>,
    ) -> Result<Config, Exit> {
        let mut config = self.config()?;
        let program = program.map_err(|error| output::error(error, Exit::Failed))?;
        if let Some(path) = self.cwd.as_deref().filter(|path| !path.is_dir()) {
            let text = format_args!("no such directory: '{}' (--cwd)", path.display());
            return Err(output::error(text, Exit::Usage));
        }
        let environment = self.env.iter().map(|(k, v)| (k.into(), v.into())).collect();
        config.launch = Some(launch(program, &config, self.cwd.clone(), environment));
        Ok(config)
    }

    /// Warns of directories that do not exist: Python ignores them, and an import fails later.
    pub(crate) fn warn_of_places(&self) {
        let from = self.cwd.as_deref().unwrap_or_else(|| Path::new(""));
        for place in self.search_path.iter().filter(|place| !place.is_empty()) {
            if !from.join(place).exists() {
                let place = Path::new(place).display();
                output::warning(format_args!("no such directory: '{place}' (--search-path)"));
            }
        }
    }
}

/// The program that makes an interpreter a server. With `-m`, Python would import `runpy`, which costs a
/// third of a megabyte.
const PROGRAM: &str = "from bgpy._background import main; main()";

/// How to start an interpreter as a server. The name and the address are among its arguments only for
/// people who look at the list of processes.
pub fn launch(
    program: PathBuf,
    config: &Config,
    directory: Option<PathBuf>,
    environment: Vec<(OsString, OsString)>,
) -> Launch {
    let place = Address::new(config.host.as_str(), config.port).to_string();
    let name = config.name.as_ref().map(|name| name.as_str().into());
    // -P keeps files of the working directory from shadowing modules of Python.
    let words = ["-P", "-c", PROGRAM].map(OsString::from);
    let command = [program.into()].into_iter().chain(words).chain(name).chain([place.into()]);
    Launch { directory, environment, ..Launch::new(command.collect()) }
}

/// Parses an address to listen on, whose port may be 0.
fn bind(text: &str) -> Result<Address, String> {
    match text.strip_suffix(":0") {
        // Any other port will do to parse the rest.
        Some(host) => format!("{host}:1").parse().map(|address| Address { port: 0, ..address }),
        None => text.parse(),
    }
}

/// Parses a restart policy; clap's error repeats the text itself.
fn restart(text: &str) -> Result<Restart, String> {
    text.parse().map_err(|_| {
        "use never, on-failure, or on-failure:N to tolerate N failures, and five minutes, before giving up"
            .to_owned()
    })
}

fn message_bytes() -> impl TypedValueParser<Value = u64> {
    value_parser!(u64).range(limits::MESSAGE_BYTES_LEAST..=limits::MESSAGE_BYTES_MAX)
}

pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !text.contains('\0') => {
            Ok((name.into(), value.into()))
        }
        _ => Err("use NAME=VALUE".into()),
    }
}

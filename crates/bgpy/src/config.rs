//! What a server has to know, and how its process is started.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bgpy_proto::{Id, limits};
use serde::{Deserialize, Serialize};

use crate::log::{Level, Log};
use crate::name::Name;
use crate::os_path;
use crate::platform::{self, NOTIFY_VARIABLE};
use crate::restart::Restart;

/// How a server's process is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// A program and its arguments, none of them a secret.
    pub command: Vec<OsString>,
    /// Its working directory; that of this process if there is none.
    #[serde(with = "os_path")]
    pub directory: Option<PathBuf>,
    /// Variables that it has beside those of this process.
    pub environment: Vec<(OsString, OsString)>,
    /// Such variables whose values are not known any more, because its server has ended.
    #[serde(default)]
    pub forgotten: Vec<OsString>,
}

/// What a server has to know.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// How its process is started, where it has one of its own.
    pub launch: Option<Launch>,
    /// Host to listen on.
    pub host: String,
    /// Port to listen on, or 0.
    pub port: u16,
    /// The port that the user wanted, where `port` is what it has become.
    pub wanted_port: Option<u16>,
    /// The token, if the user gave one.
    pub token: Option<String>,
    /// Whether that was made up by a server or its supervisor, and not chosen by the user.
    pub is_token_made_up: bool,
    /// Whether clients have to prove a token.
    pub auth: bool,
    /// Whether a token that can be guessed is taken on an address that other machines reach.
    pub allow_weak_token: bool,
    /// Whether pickles from clients are opened.
    pub allow_pickle: bool,
    /// Longest message that is taken from a client, in bytes.
    pub message_bytes_max: u64,
    /// Level of the log, by name.
    pub log_level: String,
    /// The log; chosen in the user's runtime directory when there is none.
    #[serde(with = "os_path")]
    pub log_file: Option<PathBuf>,
    /// A Python file with the tasks.
    #[serde(with = "os_path")]
    pub init_file: Option<PathBuf>,
    /// Where the server looks for Python modules after its own places.
    pub search_path: Vec<OsString>,
    /// A Python module with the tasks.
    pub init_module: Option<String>,
    /// The server's name.
    pub name: Option<Name>,
    /// How long nobody may call before the server ends by itself, in seconds.
    pub idle_timeout_s: Option<f64>,
    /// When it is started again.
    pub restart: Restart,
    /// The server's identity, in hexadecimal digits; made up when it is empty.
    pub instance: String,
}

impl Launch {
    /// Starts a program with arguments, none of them a secret.
    pub fn new(command: Vec<OsString>) -> Self {
        Self { command, directory: None, environment: Vec::new(), forgotten: Vec::new() }
    }

    /// Keeps the names of its variables alone: the values are often secrets.
    pub(crate) fn forget_values(&mut self) {
        self.forgotten.extend(self.environment.drain(..).map(|(name, _)| name));
    }

    /// Sets a variable.
    pub fn set(&mut self, name: OsString, value: OsString) {
        self.forgotten.retain(|known| *known != name);
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value));
    }

    /// Makes it independent of where this process is.
    fn settle(&mut self) {
        let place = self.directory.take().map_or_else(env::current_dir, std::path::absolute);
        // Where it is nowhere, the process that is started says so.
        self.directory = place.ok();
        // A bare name is looked for on PATH.
        if let Some(program) = self.command.first_mut()
            && Path::new(program).components().count() > 1
            && let Ok(path) = std::path::absolute(&program)
        {
            *program = path.into();
        }
    }

    /// As a command that can be run.
    pub fn command(&self) -> Command {
        let mut words = self.command.iter();
        let mut command = Command::new(words.next().map_or(OsStr::new(""), OsString::as_os_str));
        // What manages this process does not manage that one.
        command
            .args(words)
            .env_remove(NOTIFY_VARIABLE)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            launch: None,
            host: "127.0.0.1".into(),
            port: 0,
            wanted_port: None,
            token: None,
            is_token_made_up: false,
            auth: true,
            allow_weak_token: false,
            allow_pickle: true,
            message_bytes_max: limits::MESSAGE_BYTES_MAX,
            log_level: Level::Info.as_str().into(),
            log_file: None,
            init_file: None,
            search_path: Vec::new(),
            init_module: None,
            name: None,
            idle_timeout_s: None,
            restart: Restart::Never,
            instance: String::new(),
        }
    }
}

impl Config {
    /// How long nobody may call before the server ends by itself.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }

    /// Settles who the server is, and makes how it is started independent of where this process is.
    pub(crate) fn settle(&mut self) {
        self.instance = self.id().to_string();
        if let Some(launch) = &mut self.launch {
            launch.settle();
        }
    }

    /// How its process is started.
    pub(crate) fn command(&self) -> Command {
        self.launch.as_ref().map_or_else(|| Command::new(""), Launch::command)
    }

    /// What its log takes.
    pub(crate) fn log_level(&self) -> Level {
        self.log_level.parse().unwrap_or(Level::Info)
    }

    /// Opens its log for what it prints; where it has none, that is lost.
    pub(crate) fn open_log(&self) -> io::Result<Stdio> {
        let Some(path) = &self.log_file else { return Ok(Stdio::null()) };
        Ok(platform::append(path)?.into())
    }

    /// The log for whoever has little to say in it, so that nothing is kept open. Without a file, the
    /// server's words go to standard error in the foreground, and else are lost.
    pub(crate) fn log(&self, is_foreground: bool) -> Log {
        let level = self.log_level();
        match &self.log_file {
            Some(path) => Log::file(level, path).unwrap_or_else(|_| Log::silent()),
            None if is_foreground => Log::stderr(level),
            None => Log::silent(),
        }
    }

    /// The port that the user wanted: 0 is any.
    pub fn wanted_port(&self) -> u16 {
        self.wanted_port.unwrap_or(self.port)
    }

    /// Whether the server takes its tasks from somewhere before it is ready.
    pub fn has_tasks(&self) -> bool {
        self.init_file.is_some() || self.init_module.is_some()
    }

    /// The server's identity.
    pub fn id(&self) -> Id {
        let digit = |at: usize| u8::from_str_radix(self.instance.get(at..at + 2)?, 16).ok();
        let mut id = Id::default();
        for (index, byte) in id.0.iter_mut().enumerate() {
            match digit(2 * index) {
                Some(value) => *byte = value,
                None => return Id::random(),
            }
        }
        id
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("name", &self.name)
            .field("log_file", &self.log_file)
            .field("init_file", &self.init_file)
            .field("init_module", &self.init_module)
            .finish_non_exhaustive()
    }
}

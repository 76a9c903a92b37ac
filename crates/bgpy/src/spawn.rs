//! Starting a server in the background, from both sides.
//!
//! The parent gives the configuration on the child's standard input and reads one report from its
//! standard output: ready, or why not. The child's standard error is the log from the start, so
//! that its own words are there whatever happens. Neither arguments nor environment hold a secret.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bgpy_proto::{Id, limits};
use serde::{Deserialize, Serialize};

use crate::client::Wait;
use crate::error::StartError;
use crate::journal::Level;
use crate::name::Name;
use crate::registry::Registry;
use crate::sync::lock;
use crate::{os_path, platform};

/// Bytes of a log that are shown when a start has failed.
const OUTPUT_BYTES_MAX: u64 = 8 << 10;

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
}

/// What a server has to know.
#[derive(Clone, Serialize, Deserialize)]
pub struct Config {
    /// How its process is started, where it has one of its own.
    pub launch: Option<Launch>,
    /// Host to listen on.
    pub host: String,
    /// Port to listen on, or 0.
    pub port: u16,
    /// The token, if the user gave one.
    pub token: Option<String>,
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
    /// The server's identity, in hexadecimal digits; made up when it is empty.
    pub instance: String,
}

/// What a child reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Report {
    /// It takes calls.
    Ready {
        /// Its process id.
        pid: u32,
        /// Where it listens.
        address: SocketAddr,
    },
    /// It does not start.
    Failed {
        /// A short name of the kind of error.
        kind: String,
        /// What is wrong.
        message: String,
    },
}

/// A server that this process has started.
#[derive(Debug, Clone)]
pub struct Background {
    /// Its process id.
    pub pid: u32,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it logs.
    pub log_file: Option<PathBuf>,
    end: Arc<End>,
}

/// The end of a child, noticed by a thread of its own, so that it never stays a zombie.
#[derive(Debug, Default)]
struct End {
    status: Mutex<Option<ExitStatus>>,
    came: Condvar,
}

/// The child's side: where it reports to.
#[derive(Debug)]
pub struct Reporter {
    output: File,
}

/// Starts a server in the background and waits until it is ready.
///
/// # Errors
/// [`StartError`]; no process is left behind then.
pub fn start(config: Config, wait: &Wait<'_>) -> Result<Background, StartError> {
    let (mut birth, path) = begin(config)?;
    let mut printed = path.as_deref().and_then(Printed::from_now);
    let report = birth.report(wait).map_err(|reason| birth.explain(reason, wait, &mut printed))?;
    birth.over = true;
    match report {
        Report::Failed { kind, message } => {
            drop(birth.child.wait());
            Err(StartError::Reported { kind, message })
        }
        Report::Ready { pid, address } => {
            let end = birth.watch();
            Ok(Background { pid, address, log_file: path, end })
        }
    }
}

/// Starts a server in the background, whose process id is returned, and leaves it alone. Its log tells
/// what becomes of it.
///
/// # Errors
/// [`StartError::Spawn`] and [`StartError::LogFile`].
pub fn start_unwatched(config: Config) -> Result<u32, StartError> {
    let (mut birth, _) = begin(config)?;
    birth.over = true;
    Ok(birth.child.id())
}

/// Starts the process and tells it what it has to know.
fn begin(mut config: Config) -> Result<(Birth, Option<PathBuf>), StartError> {
    let mut command = config.launch.as_ref().map_or_else(|| Command::new(""), Launch::command);
    let program = PathBuf::from(command.get_program());
    let (log, path) = open_log(&mut config)?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
    platform::background(&mut command);
    let child = command.spawn().map_err(|source| StartError::Spawn { program, source })?;
    let mut birth = Birth { child, instance: config.instance.clone(), over: false };
    // A child that dies at once closes the pipe; what it printed says more than that.
    let text = serde_json::to_vec(&config).expect("a configuration has only text keys");
    drop(birth.child.stdin.take().map(|mut input| input.write_all(&text)));
    Ok((birth, path))
}

/// A child that has not reported yet; it is ended when nobody takes it over.
struct Birth {
    child: Child,
    instance: String,
    over: bool,
}

enum NoReport {
    Died,
    Timeout,
    Interrupted,
}

impl Birth {
    fn report(&mut self, wait: &Wait<'_>) -> Result<Report, NoReport> {
        let output = self.child.stdout.take().expect("it was piped");
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let mut text = Vec::new();
            // A line, or the end of a child that died; its own children may keep the pipe open.
            drop(BufReader::new(output).read_until(b'\n', &mut text));
            drop(sender.send(text));
        });
        loop {
            let slice = wait.slice().ok_or(NoReport::Timeout)?;
            match receiver.recv_timeout(slice) {
                Ok(text) => return serde_json::from_slice(&text).map_err(|_| NoReport::Died),
                Err(RecvTimeoutError::Timeout) if wait.is_interrupted() => {
                    return Err(NoReport::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(NoReport::Died),
            }
        }
    }

    /// Ends the child and puts together what can be said.
    fn explain(
        &mut self,
        reason: NoReport,
        wait: &Wait<'_>,
        printed: &mut Option<Printed>,
    ) -> StartError {
        if !matches!(reason, NoReport::Died) {
            drop(self.child.kill());
        }
        let status = self.child.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
        self.over = true;
        let output = printed.as_mut().map(Printed::text).unwrap_or_default();
        match reason {
            NoReport::Died => StartError::Died { status, output },
            NoReport::Timeout => {
                StartError::Timeout { after: wait.limit().unwrap_or_default(), output }
            }
            NoReport::Interrupted => StartError::Interrupted,
        }
    }

    fn watch(self) -> Arc<End> {
        let end = Arc::new(End::default());
        let watched = end.clone();
        let mut birth = self;
        let watch = move || {
            let status = birth.child.wait().ok();
            if let (Some(status), Ok(registry)) = (status, Registry::of_user()) {
                registry.note_exit(&birth.instance, status);
            }
            *lock(&watched.status) = status;
            watched.came.notify_all();
        };
        // Without the thread the child stays a zombie until this process ends.
        drop(thread::Builder::new().name("bgpy-child".into()).stack_size(128 << 10).spawn(watch));
        end
    }
}

impl Drop for Birth {
    fn drop(&mut self) {
        if !self.over {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

impl Background {
    /// Waits for the end of the process; `None` when the time is over or the caller interrupted.
    pub fn wait(&self, wait: &Wait<'_>) -> Option<ExitStatus> {
        let mut status = lock(&self.end.status);
        while status.is_none() {
            let slice = wait.slice()?;
            status =
                self.end.came.wait_timeout(status, slice).unwrap_or_else(PoisonError::into_inner).0;
            if status.is_none() && wait.is_interrupted() {
                return None;
            }
        }
        *status
    }
}

impl Reporter {
    /// Becomes a background server: takes the configuration, and leaves the parent's session,
    /// terminal and pipes.
    ///
    /// # Errors
    /// When standard input holds no configuration, or the operating system refuses.
    pub fn take_over() -> io::Result<(Self, Config)> {
        let (mut input, output) = platform::take_standard_streams()?;
        let mut text = Vec::new();
        input.read_to_end(&mut text)?;
        let config = serde_json::from_slice(&text)?;
        platform::detach()?;
        Ok((Self { output }, config))
    }

    /// Sends the report, which ends the parent's wait.
    pub fn report(mut self, report: &Report) {
        let mut text = serde_json::to_vec(report).expect("a report has only text keys");
        text.push(b'\n');
        // A parent that is gone does not want to know.
        drop(self.output.write_all(&text));
    }
}

impl Launch {
    fn command(&self) -> Command {
        let mut words = self.command.iter();
        let mut command = Command::new(words.next().map_or(OsStr::new(""), OsString::as_os_str));
        command.args(words).envs(self.environment.iter().map(|(name, value)| (name, value)));
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
            token: None,
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
            instance: String::new(),
        }
    }
}

impl Config {
    /// How long nobody may call before the server ends by itself.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
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

/// Opens the log before anything is started, and settles who the server is, after whom a log in
/// the runtime directory is called.
fn open_log(config: &mut Config) -> Result<(Stdio, Option<PathBuf>), StartError> {
    let instance = config.id();
    config.instance = instance.to_string();
    let own = |registry: Registry| registry.prepare().ok().map(|()| registry.log_path(instance));
    let path = match &config.log_file {
        Some(path) => Some(path.clone()),
        // Without a place to log, what the server prints is lost, but it runs.
        None => Registry::of_user().ok().and_then(own),
    };
    let Some(path) = path else { return Ok((Stdio::null(), None)) };
    let opened = std::path::absolute(&path).and_then(|path| {
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        Ok((file, path))
    });
    let (file, path) = opened.map_err(|source| StartError::LogFile { path, source })?;
    config.log_file = Some(path.clone());
    Ok((file.into(), Some(path)))
}

/// What a child has printed since it was started.
struct Printed {
    file: File,
    start: u64,
}

impl Printed {
    fn from_now(path: &Path) -> Option<Self> {
        let mut file = File::open(path).ok()?;
        let start = file.seek(SeekFrom::End(0)).ok()?;
        Some(Self { file, start })
    }

    fn text(&mut self) -> String {
        let end = self.file.metadata().map_or(self.start, |about| about.len());
        let start = self.start.max(end.saturating_sub(OUTPUT_BYTES_MAX));
        let mut bytes = Vec::new();
        // A log that cannot be read any more gives no text, and the error is told without it.
        if self.file.seek(SeekFrom::Start(start)).is_ok() {
            drop(self.file.read_to_end(&mut bytes));
        }
        String::from_utf8_lossy(&bytes).trim_end().to_owned()
    }
}

//! The registry's entry of one server.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use bgpy_proto::{Id, Token};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::clock::now_ms;
use crate::config::Config;
use crate::name::Name;
use crate::platform::{Presence, ProcessId};
use crate::restart::{Failing, Restart};
use crate::target::Target;
use crate::{os_path, platform};

/// Version of the format.
pub(super) const FORMAT: u32 = 1;

/// What a server publishes about itself.
#[derive(Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Version of this format.
    pub format: u32,
    /// The server's instance id, in hexadecimal digits.
    pub instance: String,
    /// Its name, if it was given one.
    #[serde(default)]
    pub name: Option<Name>,
    /// How many processes have run as this server before, each restarted after a failure.
    #[serde(default)]
    pub generation: u32,
    /// The machine and its boot.
    pub machine: String,
    /// Its process.
    pub(crate) process: ProcessId,
    /// The supervisor, if there is one.
    pub(crate) supervisor: Option<ProcessId>,
    /// Host as the user wrote it.
    pub host: String,
    /// The address it listens on.
    pub address: SocketAddr,
    /// Its Unix socket.
    #[serde(with = "os_path")]
    pub socket: Option<PathBuf>,
    /// The Unix socket by which it can be looked into once it accepts no more calls, until it has ended.
    #[serde(default, with = "os_path")]
    pub(crate) debug_socket: Option<PathBuf>,
    /// Its token, which a server without authentication has as well; `None` once it has ended.
    pub token: Option<String>,
    /// Its log file.
    #[serde(with = "os_path")]
    pub log_file: Option<PathBuf>,
    /// Version of bgpy.
    pub bgpy: String,
    /// Version of Python, if it runs Python.
    pub python: Option<String>,
    /// Whether the user chose the token, which is no longer known once the server has ended.
    #[serde(default)]
    pub has_chosen_token: bool,
    /// Whether the process exists for the server alone, so that the server has not ended before its
    /// process. A script continues after the server in it.
    #[serde(default)]
    pub owns_process: bool,
    /// Its configuration at the start, without the token, and without the values of its variables if
    /// its processes can tell them.
    #[serde(default)]
    pub config: Option<Box<Config>>,
    /// Start, in milliseconds since 1970 UTC.
    pub started_ms: i64,
    /// How earlier processes failed, or this one, while it waits for its restart.
    #[serde(default)]
    pub failing: Option<Failing>,
    /// Since when it accepts no more calls.
    #[serde(default)]
    pub retired_ms: Option<i64>,
    /// How it ended, once it has.
    #[serde(default)]
    pub ending: Option<Ending>,
}

/// How a server ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// Whether it ended as intended.
    pub orderly: bool,
    /// Exit code of the process, if it is known.
    pub code: Option<i32>,
    /// Signal that ended the process, if it is known.
    pub signal: Option<i32>,
    /// The reason, as text.
    pub reason: String,
    /// What kept the process from exiting, as far as the server could tell.
    #[serde(default)]
    pub held_by: Option<String>,
}

impl Entry {
    /// An entry for a server that listens on `address`.
    pub fn new(instance: Id, host: &str, address: SocketAddr) -> Self {
        Self {
            format: FORMAT,
            instance: instance.to_string(),
            name: None,
            generation: 0,
            machine: platform::machine(),
            process: ProcessId::own(),
            supervisor: None,
            host: host.to_owned(),
            address,
            socket: None,
            debug_socket: None,
            token: None,
            log_file: None,
            bgpy: crate::VERSION.to_owned(),
            python: None,
            has_chosen_token: false,
            owns_process: false,
            config: None,
            started_ms: now_ms(),
            failing: None,
            retired_ms: None,
            ending: None,
        }
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.process.pid
    }

    /// What is known about its process from here.
    pub fn presence(&self) -> Presence {
        self.process.presence()
    }

    /// Whether the process that wrote it may still exist, or its supervisor, which is about to
    /// record the end or to restart it. Says nothing about the server in that process.
    pub fn has_process(&self) -> bool {
        let may_be_there = |process: &ProcessId| process.presence() != Presence::Gone;
        may_be_there(&self.process) || self.supervisor.as_ref().is_some_and(may_be_there)
    }

    /// Whether a process may be the one that listens for the server: its own, or its supervisor,
    /// which holds its socket. `true` unless it is proven to be another one.
    pub(crate) fn may_listen_by(&self, pid: Option<u32>) -> bool {
        let is_it = |process: &ProcessId| pid.is_none_or(|pid| process.pid == pid);
        !self.process.is_of_here()
            || is_it(&self.process)
            || self.supervisor.as_ref().is_some_and(is_it)
    }

    /// Whether it is restarted when it fails, by a supervisor that exists.
    pub(crate) fn is_restarted(&self) -> bool {
        let policy = self.config.as_ref().map_or(Restart::Never, |config| config.restart);
        let is_there = |process: &ProcessId| process.presence() == Presence::There;
        policy != Restart::Never && self.supervisor.as_ref().is_some_and(is_there)
    }

    /// Whether the process that wrote it is proven to be gone.
    pub(crate) fn has_lost_process(&self) -> bool {
        self.process.presence() == Presence::Gone
    }

    /// How long until its supervisor restarts it, while it has no process.
    pub fn pause(&self) -> Option<Duration> {
        let left = self.failing.as_ref().and_then(Failing::next_in)?;
        // If processes cannot be judged from here, as from another container, the entry is
        // believed.
        let is_paused = self.retired_ms.is_none()
            && self.process.presence() != Presence::There
            && self.supervisor.as_ref().is_some_and(|it| it.presence() != Presence::Gone);
        is_paused.then_some(left)
    }

    /// Whether the server and its process have ended.
    pub fn is_over(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| {
            !self.owns_process
                || ending.was_seen()
                || self.process.presence() == Presence::Gone
                || self.has_the_last_word()
        })
    }

    /// Whether nobody can ever tell more of its end than it has told itself: its process has no supervisor, and
    /// belongs to another container.
    fn has_the_last_word(&self) -> bool {
        self.supervisor.is_none() && !self.process.is_of_here()
    }

    /// Whether the server has ended, but its process provably exists.
    pub(crate) fn lingers(&self) -> bool {
        self.ending.is_some() && !self.is_over() && self.process.presence() == Presence::There
    }

    /// Whether its supervisor has yet to record how its process ended.
    pub(crate) fn is_about_to_be_told(&self) -> bool {
        let is_there = |process: &ProcessId| process.presence() == Presence::There;
        self.owns_process
            && !self.ending.as_ref().is_some_and(Ending::was_seen)
            && self.supervisor.as_ref().is_some_and(is_there)
    }

    /// Why a server that accepts no more calls is not [over](Self::is_over).
    pub fn hindrance(&self) -> String {
        let pid = self.process.pid;
        let Some(ending) = &self.ending else {
            return "its last task or exit_task is still running".to_owned();
        };
        if self.process.presence() == Presence::Unknown {
            return format!(
                "it has shut down, but whether its process {pid} has exited cannot be told from here: it \
                 belongs to another container, or /proc cannot be read"
            );
        }
        match &ending.held_by {
            Some(held_by) => {
                format!(
                    "it has shut down, but its process {pid} has not exited yet: it waits for {held_by}"
                )
            }
            None => format!(
                "it has shut down, but its process {pid} has not exited yet; an exit hook or a library may \
                 be holding it up"
            ),
        }
    }

    /// Its configuration, with the values of its variables as far as its processes have them.
    pub fn full_config(&self) -> Option<Config> {
        let mut config = self.config.as_deref()?.clone();
        if let Some(launch) = config.launch.as_mut().filter(|launch| !launch.forgotten.is_empty()) {
            // The tasks may have changed what the system says of the server's own process.
            let processes = self.supervisor.iter().chain([&self.process]);
            for environment in processes.filter_map(ProcessId::environment) {
                launch.recall(environment);
            }
        }
        Some(config)
    }

    /// The token as a secret.
    pub fn token(&self) -> Option<Token> {
        self.token.as_deref().map(Token::new)
    }

    /// What its user calls it: its name, else its address.
    pub fn target(&self) -> Target {
        match &self.name {
            Some(name) => Target::Name(name.clone()),
            None => Target::Address(Address::new(self.host.as_str(), self.address.port())),
        }
    }

    /// A target that means this server and no other: its socket if it has one.
    pub fn unique_target(&self) -> Target {
        match (&self.name, &self.socket) {
            (None, Some(socket)) => Target::Socket(socket.clone()),
            _ => self.target(),
        }
    }

    /// An address that reaches it from this machine.
    pub fn reachable(&self) -> SocketAddr {
        let loopback = match self.address {
            SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
        };
        let ip = self.address.ip();
        SocketAddr::new(if ip.is_unspecified() { loopback } else { ip }, self.address.port())
    }

    /// Whether a client on this machine that connects to `address` would reach this server.
    pub(crate) fn serves(&self, address: SocketAddr) -> bool {
        let (here, there) = (self.address.ip(), address.ip());
        self.address.port() == address.port()
            && (here == there || (here.is_unspecified() && is_of_this_machine(there)))
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("instance", &self.instance)
            .field("process", &self.process)
            .field("address", &self.address)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

/// Whether an address belongs to this machine: others cannot be bound to.
pub(crate) fn is_of_this_machine(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}

impl Ending {
    /// An ending at this moment.
    pub fn now(orderly: bool, reason: impl Into<String>) -> Self {
        Self {
            at_ms: now_ms(),
            orderly,
            code: None,
            signal: None,
            reason: reason.into(),
            held_by: None,
        }
    }

    /// How long ago it was.
    pub(crate) fn ago(&self) -> Duration {
        Duration::from_millis(u64::try_from(now_ms() - self.at_ms).unwrap_or_default())
    }

    /// Whether the exit status of the process is known.
    fn was_seen(&self) -> bool {
        self.code.is_some() || self.signal.is_some()
    }

    /// Records the exit status. A process that fails after its server has ended counts as failed.
    pub(super) fn see(&mut self, status: ExitStatus) {
        (self.code, self.signal) = (status.code(), platform::signal_of(status));
        if self.orderly && !status.success() {
            let held_by =
                self.held_by.as_ref().map(|held_by| format!(", while it waited for {held_by}"));
            self.orderly = false;
            self.reason = format!(
                "its process failed after the server had ended{}",
                held_by.unwrap_or_default()
            );
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (_, Some(signal)) => {
                write!(f, "signal {signal}")?;
                if let Some(name) = platform::signal_name(signal) {
                    write!(f, " ({name})")?;
                }
                write!(f, ": {}", self.reason)
            }
            (Some(code), None) => write!(f, "exit code {code}: {}", self.reason),
            (None, None) => f.write_str(&self.reason),
        }
    }
}

//! What stands in the registry about one server.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use bgpy_proto::{Id, Token};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::config::Config;
use crate::name::Name;
use crate::platform::{Presence, ProcessId};
use crate::restart::{Failing, Restart};
use crate::target::Target;
use crate::{os_path, platform};

/// Version of the format.
pub(super) const FORMAT: u32 = 1;

/// What a server leaves for those who look for it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Version of this format.
    pub format: u32,
    /// The server's instance id, in hexadecimal digits.
    pub instance: String,
    /// Its name, if it was given one.
    #[serde(default)]
    pub name: Option<Name>,
    /// How many servers have run under this instance's name before it, restarted after a crash.
    #[serde(default)]
    pub generation: u32,
    /// The machine, since its last start.
    pub machine: String,
    /// Its process.
    pub process: ProcessId,
    /// The process that waits for its end, where there is one.
    pub supervisor: Option<ProcessId>,
    /// Host as the server's user wrote it.
    pub host: String,
    /// Address that it listens on.
    pub address: SocketAddr,
    /// Its Unix socket.
    #[serde(with = "os_path")]
    pub socket: Option<PathBuf>,
    /// Its token, which a server that takes everybody has as well; none once it has ended.
    pub token: Option<String>,
    /// Where it logs.
    #[serde(with = "os_path")]
    pub log_file: Option<PathBuf>,
    /// Version of bgpy.
    pub bgpy: String,
    /// Version of Python, when it runs one.
    pub python: Option<String>,
    /// Whether its user chose the token, which is not known any more once it has ended.
    #[serde(default)]
    pub has_chosen_token: bool,
    /// Whether the process is there for the server alone, so that the server has not ended before its
    /// process has. A script goes on after the server in it.
    #[serde(default)]
    pub owns_process: bool,
    /// What it was told when it was started, but for the token.
    #[serde(default)]
    pub config: Option<Box<Config>>,
    /// Start, in milliseconds since 1970 UTC.
    pub started_ms: i64,
    /// How those before it have failed, or how it has itself, while it waits to be started again.
    #[serde(default)]
    pub failing: Option<Failing>,
    /// Since when it takes no calls any more.
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
    /// Whether it ended as it should.
    pub orderly: bool,
    /// Exit code of the process, where somebody saw it.
    pub code: Option<i32>,
    /// Signal that ended the process, where somebody saw it.
    pub signal: Option<i32>,
    /// In words.
    pub reason: String,
    /// What the process waited for before it could end, as far as the server could tell.
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

    /// Whether the process that wrote it may be there still, or its supervisor, which is about to say
    /// how that has ended, or to start it again. It says nothing about the server in it.
    pub fn has_process(&self) -> bool {
        let may_be_there = |process: &ProcessId| process.presence() != Presence::Gone;
        may_be_there(&self.process) || self.supervisor.as_ref().is_some_and(may_be_there)
    }

    /// Whether a process may be the one that listens for the server: its own, or its supervisor, which keeps
    /// its socket. Without proof that it is another one it may be.
    pub(crate) fn may_listen_by(&self, pid: Option<u32>) -> bool {
        let is_it = |process: &ProcessId| pid.is_none_or(|pid| process.pid == pid);
        !self.process.is_of_here()
            || is_it(&self.process)
            || self.supervisor.as_ref().is_some_and(is_it)
    }

    /// Whether it is started again when it fails, by a supervisor that is there.
    pub fn is_restarted(&self) -> bool {
        let policy = self.config.as_ref().map_or(Restart::Never, |config| config.restart);
        let is_there = |process: &ProcessId| process.presence() == Presence::There;
        policy != Restart::Never && self.supervisor.as_ref().is_some_and(is_there)
    }

    /// Whether the process that wrote it is proven to be gone.
    pub(crate) fn has_lost_process(&self) -> bool {
        self.process.presence() == Presence::Gone
    }

    /// How long it is until its supervisor tries to start it again, while it has no process.
    pub fn pause(&self) -> Option<Duration> {
        let left = self.failing.as_ref().and_then(Failing::next_in)?;
        // Where nothing can be said of processes, as in another container, the entry is believed.
        let is_paused = self.retired_ms.is_none()
            && self.process.presence() != Presence::There
            && self.supervisor.as_ref().is_some_and(|it| it.presence() != Presence::Gone);
        is_paused.then_some(left)
    }

    /// Whether the server has ended, and its process with it.
    pub fn is_over(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| {
            !self.owns_process || ending.was_seen() || self.process.presence() == Presence::Gone
        })
    }

    /// Whether its supervisor has yet to say how its process has ended.
    pub(crate) fn is_about_to_be_told(&self) -> bool {
        let is_there = |process: &ProcessId| process.presence() == Presence::There;
        self.owns_process
            && !self.ending.as_ref().is_some_and(Ending::was_seen)
            && self.supervisor.as_ref().is_some_and(is_there)
    }

    /// Why a server that takes no calls any more is not [over](Self::is_over).
    pub fn hindrance(&self) -> String {
        let pid = self.process.pid;
        let Some(ending) = &self.ending else {
            return "it takes no more calls, but its last task or exit_task still runs".to_owned();
        };
        if self.process.presence() == Presence::Unknown {
            return format!(
                "it takes no more calls, but whether its process {pid} has ended cannot be told from here: \
                 it belongs to another container, or /proc cannot be read"
            );
        }
        match &ending.held_by {
            Some(held_by) => {
                format!("it takes no more calls, but its process {pid} still waits for {held_by}")
            }
            None => format!(
                "it takes no more calls, but its process {pid} is still there: it is about to end, \
                 unless an exit hook or a library that it uses keeps it"
            ),
        }
    }

    /// The token as a secret.
    pub fn token(&self) -> Option<Token> {
        self.token.as_deref().map(Token::new)
    }

    /// What a user calls it: its name, else its address.
    pub fn target(&self) -> Target {
        match &self.name {
            Some(name) => Target::Name(name.clone()),
            None => Target::Address(Address::new(self.host.as_str(), self.address.port())),
        }
    }

    /// What means this server and no other: its socket where it has one.
    pub fn unique_target(&self) -> Target {
        match (&self.name, &self.socket) {
            (None, Some(socket)) => Target::Socket(socket.clone()),
            _ => self.target(),
        }
    }

    /// An address at which it is reached from this machine.
    pub fn reachable(&self) -> SocketAddr {
        let loopback = match self.address {
            SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
        };
        let ip = self.address.ip();
        SocketAddr::new(if ip.is_unspecified() { loopback } else { ip }, self.address.port())
    }

    /// Whether a client that connects to `address` on this machine would reach this server.
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

/// Whether an address is one of this machine's: others cannot be bound to.
pub(crate) fn is_of_this_machine(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}

impl Ending {
    /// An end that happened now.
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

    /// Whether somebody saw the process end.
    fn was_seen(&self) -> bool {
        self.code.is_some() || self.signal.is_some()
    }

    /// Notes how the process ended. One that fails after its server has ended has failed all the same.
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
            (_, Some(signal)) => write!(f, "signal {signal}: {}", self.reason),
            (Some(code), None) => write!(f, "exit code {code}: {}", self.reason),
            (None, None) => f.write_str(&self.reason),
        }
    }
}

/// Now, in milliseconds since 1970 UTC.
pub(super) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

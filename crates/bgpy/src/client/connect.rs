//! Finding a server, and trying the ways to it.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bgpy_proto::handshake::Suite;
use bgpy_proto::{Id, Token};
use socket2::Socket;

use super::ClientOptions;
use super::comeback::{Comeback, may_be_back_soon};
use super::link::Link;
use super::proof::{Proof, token_of_environment};
use super::wait::{SLICE, Wait};
use crate::clock;
use crate::error::ConnectError;
use crate::lack::Lack;
use crate::platform;
use crate::registry::{Entry, Registry, is_of_this_machine};
use crate::target::Target;

/// Longest time for connecting and the handshake, unless the caller sets less.
const CONNECT: Duration = Duration::from_secs(10);

/// How often it is tried again to connect to a server that is being started again.
pub(super) const COMES_BACK_LOOK: Duration = Duration::from_millis(20);

/// Connects to a server, by its Unix socket where there is one. Once one has `proven` a token, it has to
/// prove one as well, whatever the options allow.
pub(super) fn connect(
    target: &Target,
    options: &ClientOptions,
    id: Id,
    proven: Proof,
    wait: &Wait<'_>,
) -> Result<Link, ConnectError> {
    let server = target.to_string();
    let comeback = Comeback::new(&server, wait);
    let mut attempt =
        Attempt { server: server.clone(), options, id, proven, wait, since: clock::now() };
    let registry = match (Registry::of_user(), target) {
        (Ok(registry), _) => Some(registry),
        // Without one nothing is known of any name.
        (Err(error), Target::Name(_)) => return Err(distrusted(&server, &error)),
        (Err(_), _) => None,
    };
    let doubt = registry.as_ref().and_then(|registry| registry.trust().err());
    if let Some(doubt) = &doubt
        && !matches!(target, Target::Address(_))
    {
        return Err(distrusted(&server, doubt));
    }
    let known = |is_meant: &dyn Fn(&Entry) -> bool| {
        let Some(registry) = &registry else { return Ok(Vec::new()) };
        let mut entries = registry.entries().map_err(|error| distrusted(&server, &error))?;
        // What a server that died has left is cleared away by whoever meets it.
        entries.retain_mut(|entry| is_meant(entry) && !registry.bury(entry));
        Ok::<_, ConnectError>(entries)
    };
    let addresses = match target {
        Target::Address(address) => address
            .resolve()
            .map_err(|source| ConnectError::Resolve { host: address.host.clone(), source })?,
        Target::Name(_) | Target::Socket(_) => Vec::new(),
    };
    loop {
        let entries = known(&|entry| match target {
            Target::Name(name) => entry.name.as_ref() == Some(name),
            Target::Socket(path) => entry.socket.as_ref() == Some(path),
            Target::Address(_) => addresses.iter().any(|address| entry.serves(*address)),
        })?;
        if comeback.sit_out(&entries)? {
            attempt.since = clock::now();
            continue;
        }
        let result = match target {
            Target::Name(name) => attempt.by_name(name, &entries),
            Target::Socket(path) => attempt.by_socket(path, entries.first()),
            Target::Address(_) => attempt.by_address(&addresses, &entries),
        };
        // One whose process has died while it was being connected to comes back.
        let comes_back = entries.iter().any(Entry::is_restarted);
        match result {
            Err(error)
                if comes_back
                    && may_be_back_soon(&error)
                    && attempt.left().is_ok()
                    && !wait.is_interrupted() =>
            {
                std::thread::sleep(COMES_BACK_LOOK);
            }
            Err(ConnectError::Timeout { .. }) if comes_back => {
                let explained = registry.as_ref().and_then(|all| comeback.explain(all, &entries));
                match explained {
                    // The caller has more time than one attempt takes.
                    Some(_) if comeback.left().is_some() => attempt.since = clock::now(),
                    Some(error) => return Err(error),
                    None => return result,
                }
            }
            // The token that it lacks may stand there.
            Err(ConnectError::NoToken { .. } | ConnectError::Auth { .. })
                if doubt.is_some() && options.token.is_none() && is_here(&addresses) =>
            {
                return Err(distrusted(&server, &doubt.expect("there is one")));
            }
            Err(absent @ (ConnectError::NotRunning { .. } | ConnectError::NoSuchName { .. })) => {
                let Some(registry) = &registry else { return Err(absent) };
                return Err(match (is_stopping(registry, target, &addresses), absent) {
                    (Ok(true), _) => ConnectError::Stopping { server: attempt.server },
                    (Err(error), _) => distrusted(&server, &error),
                    (Ok(false), ConnectError::NoSuchName { name, .. }) => {
                        ConnectError::NoSuchName { name, unreadable: registry.unreadable() }
                    }
                    (Ok(false), absent) => absent,
                });
            }
            result => return result,
        }
    }
}

/// Whether a server that was meant takes no more calls, but has not ended: its last task or `exit_task`
/// still runs.
fn is_stopping(registry: &Registry, target: &Target, addresses: &[SocketAddr]) -> io::Result<bool> {
    Ok(registry.ended()?.iter().any(|entry| {
        let is_meant = match target {
            Target::Name(name) => entry.name.as_ref() == Some(name),
            Target::Socket(path) => registry.socket_path_of(entry) == *path,
            Target::Address(_) => addresses.iter().any(|address| entry.serves(*address)),
        };
        is_meant && entry.ending.is_none() && entry.has_process()
    }))
}

fn distrusted(server: &str, doubt: &io::Error) -> ConnectError {
    ConnectError::Registry { server: server.to_owned(), doubt: Lack(doubt).to_string() }
}

impl ConnectError {
    /// Whether the server does not run, or takes no more calls.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NotRunning { .. } | Self::NoSuchName { .. } | Self::Stopping { .. })
    }
}

/// Connects to the server of an entry.
pub(crate) fn connect_to(
    entry: &Entry,
    options: &ClientOptions,
    wait: &Wait<'_>,
) -> Result<Link, ConnectError> {
    let (server, id, since) = (entry.target().to_string(), Id::random(), clock::now());
    let attempt = Attempt { server, options, id, proven: Proof::None, wait, since };
    attempt.by_entry(entry)
}

/// One way after the other, within one time limit.
pub(super) struct Attempt<'a> {
    pub(super) server: String,
    pub(super) options: &'a ClientOptions,
    pub(super) id: Id,
    proven: Proof,
    pub(super) wait: &'a Wait<'a>,
    since: Instant,
}

impl Attempt<'_> {
    pub(super) fn not_running(&self) -> ConnectError {
        ConnectError::NotRunning { server: self.server.clone() }
    }

    /// Whether a server has proven to know this token.
    fn has_proven(&self, token: &Token) -> bool {
        Proof::by(Some(token)) == self.proven
    }

    /// Whether the caller takes a server that proves nothing.
    pub(super) fn wants_no_proof(&self) -> bool {
        !self.options.auth && self.proven == Proof::None
    }

    /// Whether nobody but this user can be the server: it was found in the user's own registry, and has
    /// been reached by its socket there. Servers of bgpy 1.0 may stand there without a token.
    pub(super) fn is_own(&self, suite: Suite, entry: Option<&Entry>) -> bool {
        suite == Suite::Clear && entry.is_some() && self.proven == Proof::None
    }

    /// Waits a slice of time for the socket; an error of kind `TimedOut` when all of it is over.
    pub(super) fn wait_for(&self, socket: &Socket, writable: bool) -> io::Result<bool> {
        let left = self.left().map_err(|_| io::ErrorKind::TimedOut)?;
        match platform::wait(socket, !writable, writable, left.min(SLICE)) {
            Ok(ready) => Ok(ready.readable || ready.writable),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What is left of the time.
    pub(super) fn left(&self) -> Result<Duration, ConnectError> {
        time_left(self.since, self.wait).ok_or_else(|| self.io(io::ErrorKind::TimedOut.into()))
    }

    fn limit(&self) -> Duration {
        self.wait.limit().map_or(CONNECT, |limit| limit.min(CONNECT))
    }

    /// The token that was given, else the one of the registry, else that of the environment. The
    /// registry's comes first because it is what the server really uses.
    pub(super) fn token(&self, entry: Option<&Entry>) -> Option<Token> {
        match (&self.options.token, entry) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(entry)) => entry.token(),
            // Whoever says that no proof is wanted means that more than the environment does.
            (None, None) => token_of_environment()
                .filter(|_| self.options.auth)
                .filter(|token| matches!(self.proven, Proof::None) || self.has_proven(token)),
        }
    }

    pub(super) fn io(&self, source: io::Error) -> ConnectError {
        let server = self.server.clone();
        match source.kind() {
            io::ErrorKind::ConnectionRefused => ConnectError::NotRunning { server },
            io::ErrorKind::TimedOut => {
                ConnectError::Timeout { server, after: self.limit(), process: None }
            }
            _ => ConnectError::Io { server, source },
        }
    }
}

/// What is left of the time of an attempt that began at a moment.
pub(super) fn time_left(since: Instant, wait: &Wait<'_>) -> Option<Duration> {
    let left = CONNECT.checked_sub(clock::since(since))?;
    Some(wait.left().map_or(left, |limit| limit.min(left))).filter(|left| !left.is_zero())
}

/// AES where the processor has instructions for it, which is everywhere but on old ARM boards.
pub(super) fn sealed_suite() -> Suite {
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        Suite::AesGcm
    } else {
        Suite::ChaChaPoly
    }
}

/// Whether a server of this machine is meant.
fn is_here(addresses: &[SocketAddr]) -> bool {
    addresses.iter().any(|address| is_of_this_machine(address.ip()))
}

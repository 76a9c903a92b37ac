//! Finding a server and shaking hands with it.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bgpy_proto::handshake::{ClientHandshake, Step, Suite};
use bgpy_proto::{ClientHello, ClientSession, Id, Outbox, ProtocolError, Psk, Token};
use socket2::Socket;

use super::ClientOptions;
use super::link::Link;
use super::proof::{Proof, token_of_environment};
use super::wait::{SLICE, Wait};
use crate::error::ConnectError;
use crate::platform;
use crate::registry::{Entry, Registry, is_of_this_machine};
use crate::segments::{self, Segments};
use crate::target::Target;

/// Longest time for connecting and the handshake, unless the caller sets less.
const CONNECT: Duration = Duration::from_secs(10);

/// How often it is tried again to connect to a server that is being started again.
const COMES_BACK_LOOK: Duration = Duration::from_millis(20);

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
    let attempt = Attempt { server, options, id, proven, wait, since: Instant::now() };
    let registry = match (Registry::of_user(), target) {
        (Ok(registry), _) => Some(registry),
        // Without one nothing is known of any name.
        (Err(error), Target::Name(_)) => return Err(attempt.distrusted(&error)),
        (Err(_), _) => None,
    };
    let doubt = registry.as_ref().and_then(|registry| registry.trust().err());
    if let Some(doubt) = &doubt
        && !matches!(target, Target::Address(_))
    {
        return Err(attempt.distrusted(doubt));
    }
    let known = |is_meant: &dyn Fn(&Entry) -> bool| {
        let Some(registry) = &registry else { return Ok(Vec::new()) };
        let mut entries = registry.entries().map_err(|error| attempt.distrusted(&error))?;
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
        let result = match target {
            Target::Name(name) => attempt.by_name(name, &entries),
            Target::Socket(path) => attempt.by_socket(path, entries.first()),
            Target::Address(_) => attempt.by_address(&addresses, &entries),
        };
        // One whose process has died while it was being connected to comes back.
        let comes_back = entries.iter().any(Entry::is_restarted);
        match result {
            Err(
                ConnectError::NotRunning { .. }
                | ConnectError::NoSuchName { .. }
                | ConnectError::Io { .. },
            ) if comes_back && attempt.left().is_ok() && !wait.is_interrupted() => {
                std::thread::sleep(COMES_BACK_LOOK);
            }
            // The token that it lacks may stand there.
            Err(ConnectError::NoToken { .. } | ConnectError::Auth { .. })
                if doubt.is_some() && options.token.is_none() && is_here(&addresses) =>
            {
                return Err(attempt.distrusted(&doubt.expect("there is one")));
            }
            Err(absent @ (ConnectError::NotRunning { .. } | ConnectError::NoSuchName { .. })) => {
                let Some(registry) = &registry else { return Err(absent) };
                return Err(match (is_stopping(registry, target, &addresses), absent) {
                    (Ok(true), _) => ConnectError::Stopping { server: attempt.server },
                    (Err(error), _) => attempt.distrusted(&error),
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
    let (server, id, since) = (entry.target().to_string(), Id::random(), Instant::now());
    let attempt = Attempt { server, options, id, proven: Proof::None, wait, since };
    attempt.by_entry(entry)
}

/// One way after the other, within one time limit.
pub(super) struct Attempt<'a> {
    pub(super) server: String,
    pub(super) options: &'a ClientOptions,
    id: Id,
    proven: Proof,
    pub(super) wait: &'a Wait<'a>,
    since: Instant,
}

impl Attempt<'_> {
    fn distrusted(&self, doubt: &io::Error) -> ConnectError {
        ConnectError::Registry { server: self.server.clone(), doubt: doubt.to_string() }
    }

    pub(super) fn not_running(&self) -> ConnectError {
        ConnectError::NotRunning { server: self.server.clone() }
    }

    pub(super) fn shake_hands(
        &self,
        socket: Socket,
        suite: Suite,
        entry: Option<&Entry>,
    ) -> Result<Link, ConnectError> {
        let token = self.token(entry);
        let is_open = token.is_none() && (self.wants_no_proof() || self.is_own(suite, entry));
        let psk = match &token {
            Some(token) => token.psk(),
            None if is_open => Psk::open(),
            // It tells a bgpy server, which says nothing, from other programs, and tells those nothing.
            None => Psk::unknown(),
        };
        match self.exchange(&socket, suite, &psk) {
            Ok(session) => {
                let can_map = suite == Suite::Clear && session.server().segments;
                let segments = if can_map { Segments::new() } else { None };
                Ok(Link::new(
                    socket,
                    self.server.clone(),
                    session,
                    segments,
                    Proof::by(token.as_ref()),
                ))
            }
            Err(Refusal::Connect(error)) => Err(error),
            // The registry's token is the right one: a server that refuses it is about to end.
            Err(Refusal::Protocol(ProtocolError::Unauthenticated))
                if token.as_ref().zip(entry).is_some_and(|(token, entry)| {
                    entry.token.as_deref() == Some(token.expose())
                }) =>
            {
                Err(self.not_running())
            }
            Err(Refusal::Protocol(ProtocolError::Unauthenticated)) => {
                let server = self.server.clone();
                Err(match token {
                    None if !is_open => ConnectError::NoToken { server },
                    token => ConnectError::Auth { server, token: token.is_some() },
                })
            }
            Err(Refusal::Protocol(source)) => {
                Err(ConnectError::Protocol { server: self.server.clone(), source })
            }
        }
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
    fn is_own(&self, suite: Suite, entry: Option<&Entry>) -> bool {
        suite == Suite::Clear && entry.is_some() && self.proven == Proof::None
    }

    fn exchange(&self, socket: &Socket, suite: Suite, psk: &Psk) -> Result<ClientSession, Refusal> {
        let hello = ClientHello {
            client: self.id,
            bgpy: crate::VERSION.to_owned(),
            python: self.options.python.clone(),
            pid: u64::from(std::process::id()),
            message_bytes_max: self.options.message_bytes_max,
            segments: segments::SUPPORTED,
            allow_pickle: self.options.allow_pickle,
        };
        socket.set_read_timeout(Some(SLICE)).map_err(|error| self.io(error))?;
        let mut outbox = Outbox::default();
        let mut handshake = ClientHandshake::start(suite, psk, &hello, &mut outbox);
        self.send(socket, &mut outbox)?;
        let mut buffer = [0; 4096];
        let mut silent = true;
        loop {
            let bytes = match self.receive(socket, &mut buffer)? {
                // A server that gets a wrong key closes without a word.
                [] if silent => return Err(Refusal::Protocol(ProtocolError::Unauthenticated)),
                [] => return Err(self.io(io::ErrorKind::UnexpectedEof.into()).into()),
                bytes => bytes,
            };
            silent = false;
            match handshake.feed(bytes, &mut outbox).map_err(Refusal::Protocol)? {
                Step::More(more) => handshake = more,
                Step::Done(session) => {
                    self.send(socket, &mut outbox)?;
                    return Ok(session);
                }
            }
        }
    }

    /// Sends a handshake message, which always fits an empty socket buffer.
    fn send(&self, socket: &Socket, outbox: &mut Outbox) -> Result<(), Refusal> {
        while !outbox.is_empty() {
            match platform::send_now(socket, outbox.front()) {
                Ok(sent) => outbox.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if was_cut(&error) => {
                    return Err(Refusal::Protocol(ProtocolError::Unauthenticated));
                }
                Err(error) => return Err(self.io(error).into()),
            }
        }
        Ok(())
    }

    /// Receives what there is; empty at the end of the stream.
    fn receive<'b>(&self, socket: &Socket, buffer: &'b mut [u8]) -> Result<&'b [u8], Refusal> {
        while !self.wait_for(socket, false).map_err(|error| self.io(error))? {
            if self.wait.is_interrupted() {
                return Err(ConnectError::Interrupted.into());
            }
        }
        let mut stream = socket;
        let count = match stream.read(buffer) {
            Ok(count) => count,
            Err(error) if was_cut(&error) => 0,
            Err(error) => return Err(self.io(error).into()),
        };
        Ok(&buffer[..count])
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
        let left = self.limit().checked_sub(self.since.elapsed()).filter(|left| !left.is_zero());
        left.ok_or_else(|| self.io(io::ErrorKind::TimedOut.into()))
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

/// Why a handshake came to nothing.
enum Refusal {
    Connect(ConnectError),
    Protocol(ProtocolError),
}

impl From<ConnectError> for Refusal {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
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

fn was_cut(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

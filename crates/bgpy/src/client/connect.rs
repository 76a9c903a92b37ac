//! Connecting to a server, on the thread that wants the connection: does what a [search](super::search)
//! and a [greeting](super::greeting) decide.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgpy_proto::Id;
use socket2::Socket;

use super::absence::stopping;
use super::attempt::Attempt;
use super::greeting::{self, Greeting};
use super::link::Link;
use super::lookup::RegistryLookup;
use super::options::ClientOptions;
use super::proof::Proof;
use super::route::{Route, Routes, Way};
use super::search::{self, Search};
use crate::clock;
use crate::error::ConnectError;
use crate::memory::segments::Segments;
use crate::platform;
use crate::registry::{Entry, Meant, Registry};
use crate::target::Target;
use crate::transport::dial::Dialer;
use crate::wait::{SLICE, Wait};

/// Connects to a server, by its Unix socket if it has one. If `proven` says that it has proven a
/// token before, it must prove it again, whatever the options allow.
pub(super) fn connect(
    target: &Target,
    options: &ClientOptions,
    id: Id,
    proven: Proof,
    wait: &Wait<'_>,
) -> Result<Link, ConnectError> {
    let lookup = RegistryLookup::new(target, options)?;
    let attempt = Attempt { options, id, proven };
    let mut search = Search::new(target.to_string());
    let is_there = Rc::new(Cell::new(true));
    let _phase = wait.phase(|| waits_for(target.to_string(), Rc::clone(&is_there)));
    loop {
        let action = search.next(&lookup, wait)?;
        is_there.set(matches!(action, search::Action::Greet(_)));
        match action {
            search::Action::Pause(pause) => rest(pause, wait)?,
            search::Action::Greet(route) => {
                let dialer = Dialer::new(search.server(), wait, search.since());
                match greet(&dialer, &attempt, &route) {
                    Ok(Some(link)) => return Ok(link),
                    Ok(None) => search.failed(&route, None),
                    Err(error) => search.failed(&route, Some(error)),
                }
            }
        }
    }
}

/// Connects to the server of an entry.
pub(crate) fn connect_to(
    entry: &Entry,
    options: &ClientOptions,
    wait: &Wait<'_>,
) -> Result<Arc<Link>, ConnectError> {
    by_routes(entry, Routes::to_entry(&Arc::new(entry.clone()), options.unix_socket), options, wait)
}

/// Connects to a server that accepts no more calls, to look into it; `None` if there is none that offers
/// that.
pub(super) fn link_to_stopping(
    target: &Target,
    options: &ClientOptions,
    wait: &Wait<'_>,
) -> Option<Result<Arc<Link>, ConnectError>> {
    let registry = Registry::of_user().ok()?;
    let meant = Meant { registry: &registry, target, addresses: &target.addresses() };
    let mut entries = stopping(&meant).ok()?.into_iter().map(Arc::new);
    let (routes, entry) = entries.find_map(|entry| Some((Routes::to_stopping(&entry)?, entry)))?;
    Some(by_routes(&entry, routes, options, wait))
}

fn by_routes(
    entry: &Entry,
    mut routes: Routes,
    options: &ClientOptions,
    wait: &Wait<'_>,
) -> Result<Arc<Link>, ConnectError> {
    let server = entry.target().to_string();
    let dialer = Dialer::new(&server, wait, clock::now());
    let attempt = Attempt { options, id: Id::random(), proven: Proof::None };
    while let Some(route) = routes.next() {
        match greet(&dialer, &attempt, &route) {
            Ok(Some(link)) => return Ok(Arc::new(link)),
            Ok(None) => routes.failed(&route, None)?,
            Err(error) => routes.failed(&route, Some(error))?,
        }
    }
    Err(routes.exhausted(&server))
}

/// Says what connecting to a server waits for: its answer if it is there, else its start.
fn waits_for(server: String, is_there: Rc<Cell<bool>>) -> impl Fn() -> String {
    move || match is_there.get() {
        true => format!("Waiting for an answer from {server}."),
        false => format!("Waiting for {server} to start."),
    }
}

fn rest(pause: Duration, wait: &Wait<'_>) -> Result<(), ConnectError> {
    if wait.is_interrupted() {
        return Err(ConnectError::Interrupted);
    }
    std::thread::sleep(pause);
    Ok(())
}

/// Connects by a route and shakes hands; `None` if nothing listens.
fn greet(
    dialer: &Dialer<'_>,
    attempt: &Attempt<'_>,
    route: &Route,
) -> Result<Option<Link>, ConnectError> {
    let mut greeting = attempt.greeting(dialer.server, route)?;
    let mut sockets: Vec<Socket> = Vec::new();
    loop {
        let action = greeting.next();
        let done = match action {
            greeting::Action::Dial => match dial(dialer, attempt, route) {
                Ok(socket) => {
                    let is_there = socket.is_some();
                    sockets.extend(socket);
                    greeting.dialled(is_there)
                }
                // It was accepted, and reset before anything could be sent.
                Err(ConnectError::Io { source, .. }) if was_cut(&source) => {
                    greeting.dialled(true).and_then(|()| greeting.cut())
                }
                Err(error) => Err(error),
            },
            greeting::Action::Send => send(dialer, last(&sockets), &mut greeting),
            greeting::Action::Receive { until } => {
                receive(dialer, last(&sockets), until, &mut greeting)
            }
            greeting::Action::Pause(pause) => dialer.pause(pause),
            greeting::Action::Done(session) => {
                let can_map = greeting.may_share_memory() && session.server().segments;
                let segments = if can_map { Segments::new() } else { None };
                let (server, proof) = (dialer.server.to_owned(), greeting.proof());
                let link = |socket| Link::new(socket, server, *session, segments, proof);
                return Ok(sockets.pop().map(link));
            }
            greeting::Action::Absent => return Ok(None),
        };
        done.map_err(|error| greeting.explain(error))?;
        sockets.truncate(greeting.connections());
    }
}

/// The connection that was opened last.
fn last(sockets: &[Socket]) -> &Socket {
    sockets.last().expect("a greeting dials before it talks")
}

/// Opens a connection by a route; `None` if the server does not listen there.
fn dial(
    dialer: &Dialer<'_>,
    attempt: &Attempt<'_>,
    route: &Route,
) -> Result<Option<Socket>, ConnectError> {
    let (log, server) = (&attempt.options.log, dialer.server);
    let socket = match &route.way {
        Way::File(path) => {
            let Some(socket) = dialer.unix(path)? else { return Ok(None) };
            if !route.may_be_served_by(platform::peer_process(&socket)) {
                return Ok(None);
            }
            log.debug(format_args!("connected to {server} by its socket"));
            socket
        }
        Way::Tcp(address) => {
            let socket = dialer.tcp(*address)?;
            log.debug(format_args!("connected to {server}"));
            socket
        }
    };
    // For the link as well: a read of the leader lasts a slice.
    socket.set_read_timeout(Some(SLICE)).map_err(|error| dialer.io(error))?;
    Ok(Some(socket))
}

/// Sends a handshake message, which always fits an empty socket buffer.
fn send(dialer: &Dialer<'_>, socket: &Socket, greeting: &mut Greeting) -> Result<(), ConnectError> {
    while !greeting.out.is_empty() {
        match platform::send_now(socket, greeting.out.front()) {
            Ok(sent) => greeting.out.advance(sent),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if was_cut(&error) => return greeting.cut(),
            Err(error) => return Err(dialer.io(error)),
        }
    }
    Ok(())
}

/// Receives available bytes, or none at EOF.
fn receive(
    dialer: &Dialer<'_>,
    mut socket: &Socket,
    until: Option<Instant>,
    greeting: &mut Greeting,
) -> Result<(), ConnectError> {
    while !dialer.wait_for(socket, false).map_err(|error| dialer.io(error))? {
        if dialer.wait.is_interrupted() {
            return Err(ConnectError::Interrupted);
        }
        if until.is_some_and(|until| clock::now() >= until) {
            return greeting.late();
        }
    }
    let mut buffer = [0; 4096];
    match socket.read(&mut buffer) {
        Ok(count) => greeting.received(&buffer[..count]),
        Err(error) if was_cut(&error) => greeting.cut(),
        Err(error) => Err(dialer.io(error)),
    }
}

fn was_cut(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

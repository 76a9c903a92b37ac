//! Finding a server in the registry, and connecting to it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bgpy_proto::Id;

use super::attempt::Attempt;
use super::link::Link;
use super::options::ClientOptions;
use super::proof::Proof;
use super::restart_wait::{RestartWait, may_be_back_soon};
use crate::error::{ConnectError, Trace};
use crate::name::Name;
use crate::platform::WithLimit;
use crate::registry::{Entry, Registry, is_of_this_machine};
use crate::target::Target;
use crate::transport::dial::Dialer;
use crate::wait::Wait;

/// How often connecting to a restarting server is retried.
pub(super) const COMES_BACK_LOOK: Duration = Duration::from_millis(20);

/// Connects to a server, by its Unix socket if it has one. If `proven` says that it has proven a
/// token before, it must prove it again, whatever the options allow.
pub(super) fn connect(
    target: &Target,
    options: &ClientOptions,
    id: Id,
    proven: Proof,
    wait: &Wait<'_>,
) -> Result<Link, ConnectError> {
    let server = target.to_string();
    let restart = RestartWait::new(&server, wait);
    let dialer = Dialer::new(server.clone(), wait);
    let mut attempt = Attempt { dialer, options, id, proven };
    let registry = match (Registry::of_user(), target) {
        (Ok(registry), _) => Some(registry),
        // Without a registry no name can be resolved.
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
        // Clients that find the entry of a dead server mark it as dead.
        entries.retain_mut(|entry| is_meant(entry) && !registry.mark_dead(entry));
        Ok::<_, ConnectError>(entries)
    };
    let addresses = match target {
        Target::Address(address) => address
            .resolve()
            .map_err(|source| ConnectError::Resolve { host: address.host.clone(), source })?,
        Target::Name(_) | Target::Socket(_) => Vec::new(),
    };
    let is_it = |entry: &Entry| match target {
        Target::Name(name) => entry.name.as_ref() == Some(name),
        Target::Socket(path) => entry.socket.as_ref() == Some(path),
        Target::Address(_) => addresses.iter().any(|address| entry.serves(*address)),
    };
    let instance = |entry: &Entry| entry.instance.clone();
    let mut has_looked_again = false;
    loop {
        let entries = known(&is_it)?;
        if restart.wait_out(&entries)? {
            attempt.dialer.start_again();
            continue;
        }
        let result = match target {
            Target::Name(name) => attempt.by_name(name, &entries),
            Target::Socket(path) => attempt.by_socket(path, entries.first()),
            Target::Address(_) => attempt.by_address(&addresses, &entries),
        };
        // A supervised server whose process died while connecting is restarted.
        let comes_back = entries.iter().any(Entry::is_restarted);
        match result {
            Err(error)
                if comes_back
                    && may_be_back_soon(&error)
                    && attempt.dialer.left().is_ok()
                    && !wait.is_interrupted() =>
            {
                std::thread::sleep(COMES_BACK_LOOK);
            }
            Err(ConnectError::Timeout { .. }) if comes_back => {
                let explained = registry.as_ref().and_then(|all| restart.explain(all, &entries));
                match explained {
                    // The caller has more time than one attempt takes.
                    Some(_) if restart.left().is_some() => attempt.dialer.start_again(),
                    Some(error) => return Err(error),
                    None => return result,
                }
            }
            // The missing token may be in the untrusted registry.
            Err(ConnectError::NoToken { .. } | ConnectError::Auth { .. })
                if doubt.is_some() && options.token.is_none() && is_here(&addresses) =>
            {
                return Err(distrusted(&server, &doubt.expect("there is one")));
            }
            // Its starter bounds the time of a start. A server listens before its token can be found.
            Err(
                ConnectError::NotRunning { .. }
                | ConnectError::NoSuchName { .. }
                | ConnectError::NoToken { .. }
                | ConnectError::Auth { .. },
            ) if registry.as_ref().is_some_and(|it| is_about_to_start(it, target, &addresses))
                && !wait.is_interrupted() =>
            {
                if wait.slice().is_none() {
                    let after = wait.limit().unwrap_or_default();
                    return Err(ConnectError::Restarting { server, after, failing: None });
                }
                std::thread::sleep(COMES_BACK_LOOK);
                attempt.dialer.start_again();
                has_looked_again = false;
            }
            // It may have started since its entry was looked for, and its token with it.
            Err(
                ConnectError::NotRunning { .. }
                | ConnectError::NoSuchName { .. }
                | ConnectError::NoToken { .. }
                | ConnectError::Auth { .. },
            ) if !std::mem::replace(&mut has_looked_again, true)
                && known(&is_it)?.iter().map(instance).ne(entries.iter().map(instance)) => {}
            Err(absent @ (ConnectError::NotRunning { .. } | ConnectError::NoSuchName { .. })) => {
                let Some(registry) = &registry else { return Err(absent) };
                return Err(match (is_stopping(registry, target, &addresses), absent) {
                    (Ok(true), _) => ConnectError::Stopping { server: attempt.dialer.server },
                    (Err(error), _) => distrusted(&server, &error),
                    (Ok(false), ConnectError::NoSuchName { name, .. }) => {
                        let (unreadable, trace) = (registry.unreadable(), trace(registry, &name));
                        ConnectError::NoSuchName { name, unreadable, trace }
                    }
                    (Ok(false), absent) => absent,
                });
            }
            result => return result,
        }
    }
}

/// Whether a matching server rejects new calls but has not ended: its last task or `exit_task`
/// still runs.
fn is_stopping(registry: &Registry, target: &Target, addresses: &[SocketAddr]) -> io::Result<bool> {
    let ended = ended(registry, target, addresses)?;
    Ok(ended.iter().any(|entry| entry.ending.is_none() && entry.has_process()))
}

/// Whether a process is about to start a matching server, perhaps in place of another.
fn is_about_to_start(registry: &Registry, target: &Target, addresses: &[SocketAddr]) -> bool {
    let ended = ended(registry, target, addresses).unwrap_or_default();
    // The successor of this very server starts only when its `exit_task` has ended, so that must
    // not wait for it.
    if ended.iter().any(|it| it.ending.is_none() && it.process.pid == std::process::id()) {
        return false;
    }
    if let Target::Name(name) = target {
        return registry.is_about_to_start(name);
    }
    let mut entries = registry.entries().unwrap_or_default();
    entries.retain(|entry| is_meant(registry, entry, target, addresses));
    let mut names = ended.iter().chain(&entries).filter_map(|entry| entry.name.as_ref());
    names.any(|name| registry.is_about_to_start(name))
}

/// Whether another server has taken the place of one that ends, or is about to.
pub(super) fn has_successor(target: &Target, old: Id) -> bool {
    let addresses = match target {
        Target::Address(address) => address.resolve().unwrap_or_default(),
        Target::Name(_) | Target::Socket(_) => Vec::new(),
    };
    let Ok(registry) = Registry::of_user() else { return false };
    let old = old.to_string();
    // In this order: an entry is there before its starter lets others start.
    is_about_to_start(&registry, target, &addresses)
        || registry.entries().is_ok_and(|entries| {
            let is_next = |it: &Entry| it.instance != old && it.has_process();
            entries.iter().any(|it| is_next(it) && is_meant(&registry, it, target, &addresses))
        })
}

/// The records of matching servers that accept no more calls.
fn ended(registry: &Registry, target: &Target, addresses: &[SocketAddr]) -> io::Result<Vec<Entry>> {
    let mut ended = registry.ended()?;
    ended.retain(|entry| is_meant(registry, entry, target, addresses));
    Ok(ended)
}

fn is_meant(registry: &Registry, entry: &Entry, target: &Target, addresses: &[SocketAddr]) -> bool {
    match target {
        Target::Name(name) => entry.name.as_ref() == Some(name),
        Target::Socket(path) => registry.socket_path_of(entry) == *path,
        Target::Address(_) => addresses.iter().any(|address| entry.serves(*address)),
    }
}

/// What explains that no running server has a name.
fn trace(registry: &Registry, name: &Name) -> Option<Trace> {
    let ended = registry.ended().unwrap_or_default();
    let ended = ended.iter().filter(|entry| entry.name.as_ref() == Some(name));
    let endings = ended.filter_map(|entry| entry.ending.as_ref());
    if let Some(ending) = endings.max_by_key(|ending| ending.at_ms) {
        let how = if ending.orderly { "as intended".to_owned() } else { ending.to_string() };
        return Some(Trace::Ended { ago: ending.ago(), how });
    }
    let running = registry.entries().unwrap_or_default();
    let names = running.into_iter().filter_map(|entry| entry.name);
    let distance = |other: &Name| strsim::osa_distance(other.as_str(), name.as_str());
    let nearest = names.min_by_key(distance);
    nearest.filter(|other| distance(other) <= 1 + name.as_str().len() / 4).map(Trace::Similar)
}

fn distrusted(server: &str, doubt: &io::Error) -> ConnectError {
    ConnectError::Registry { server: server.to_owned(), doubt: WithLimit(doubt).to_string() }
}

/// Connects to the server of an entry.
pub(crate) fn connect_to(
    entry: &Entry,
    options: &ClientOptions,
    wait: &Wait<'_>,
) -> Result<Arc<Link>, ConnectError> {
    let dialer = Dialer::new(entry.target().to_string(), wait);
    let attempt = Attempt { dialer, options, id: Id::random(), proven: Proof::None };
    attempt.by_entry(entry).map(Arc::new)
}

/// Whether the target is a server on this machine.
fn is_here(addresses: &[SocketAddr]) -> bool {
    addresses.iter().any(|address| is_of_this_machine(address.ip()))
}

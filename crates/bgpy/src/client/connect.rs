//! Finding a server in the registry, and connecting to it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bgpy_proto::Id;

use super::absence::{hindrance, hint, is_about_to_start};
use super::attempt::Attempt;
use super::link::Link;
use super::options::ClientOptions;
use super::proof::Proof;
use super::restart_wait::{RestartWait, may_be_back_soon};
use crate::error::ConnectError;
use crate::platform::WithLimit;
use crate::registry::{Entry, Meant, Registry, is_of_this_machine};
use crate::target::Target;
use crate::transport::dial::Dialer;
use crate::wait::Wait;

/// How often connecting to a restarting server is retried.
pub(super) const RETRY_EVERY: Duration = Duration::from_millis(20);

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
    let addresses = match target {
        Target::Address(address) => address
            .resolve()
            .map_err(|source| ConnectError::Resolve { host: address.host.clone(), source })?,
        Target::Name(_) | Target::Socket(_) => Vec::new(),
    };
    let meant = registry.as_ref().map(|registry| Meant { registry, target, addresses: &addresses });
    let known = || {
        let Some(meant) = &meant else { return Ok(Vec::new()) };
        let mut entries = meant.registry.entries().map_err(|error| distrusted(&server, &error))?;
        // Clients that find the entry of a dead server mark it as dead.
        entries.retain_mut(|entry| meant.includes(entry) && !meant.registry.mark_dead(entry));
        Ok::<_, ConnectError>(entries)
    };
    let instance = |entry: &Entry| entry.instance.clone();
    let mut has_looked_again = false;
    loop {
        let entries = known()?;
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
                std::thread::sleep(RETRY_EVERY);
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
            ) if meant.as_ref().is_some_and(is_about_to_start) && !wait.is_interrupted() => {
                if wait.slice().is_none() {
                    let after = wait.limit().unwrap_or_default();
                    return Err(ConnectError::Restarting { server, after, failing: None });
                }
                std::thread::sleep(RETRY_EVERY);
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
                && known()?.iter().map(instance).ne(entries.iter().map(instance)) => {}
            Err(absent @ (ConnectError::NotRunning { .. } | ConnectError::NoSuchName { .. })) => {
                let Some(meant) = &meant else { return Err(absent) };
                let registry = meant.registry;
                return Err(match (hindrance(meant), absent) {
                    (Ok(hindrance @ Some(_)), _) => {
                        ConnectError::Stopping { server: attempt.dialer.server, hindrance }
                    }
                    (Err(error), _) => distrusted(&server, &error),
                    (Ok(None), ConnectError::NoSuchName { name, .. }) => {
                        let (unreadable, hint) = (registry.unreadable(), hint(registry, &name));
                        ConnectError::NoSuchName { name, unreadable, hint }
                    }
                    (Ok(None), absent) => absent,
                });
            }
            result => return result,
        }
    }
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

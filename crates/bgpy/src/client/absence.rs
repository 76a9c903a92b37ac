//! Why no server listens: it is stopping, about to start, or has ended.

use std::io;
use std::net::SocketAddr;

use bgpy_proto::Id;

use crate::error::Trace;
use crate::name::Name;
use crate::registry::{Entry, Registry};
use crate::target::Target;

/// Whether a matching server rejects new calls but has not ended: its last task or `exit_task`
/// still runs.
pub(super) fn is_stopping(
    registry: &Registry,
    target: &Target,
    addresses: &[SocketAddr],
) -> io::Result<bool> {
    let ended = ended(registry, target, addresses)?;
    Ok(ended.iter().any(|entry| entry.ending.is_none() && entry.has_process()))
}

/// Whether a process is about to start a matching server, perhaps in place of another.
pub(super) fn is_about_to_start(
    registry: &Registry,
    target: &Target,
    addresses: &[SocketAddr],
) -> bool {
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
pub(super) fn trace(registry: &Registry, name: &Name) -> Option<Trace> {
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

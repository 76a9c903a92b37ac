//! Why no server listens: it is stopping, about to start, or has ended.

use std::io;

use bgpy_proto::Id;

use crate::error::{AbsenceHint, Hindrance};
use crate::name::Name;
use crate::registry::{Entry, Meant, Registry};
use crate::target::Target;

/// Why a server that is meant, and accepts no more calls, has not ended: its last task or `exit_task`
/// still runs, or its process has not exited. `None` if there is none.
pub(super) fn hindrance(meant: &Meant<'_>) -> io::Result<Option<Hindrance>> {
    let stopping = stopping(meant)?;
    let stopping = stopping.first();
    Ok(stopping.map(|entry| Hindrance { pid: entry.process.pid, what: entry.hindrance() }))
}

/// The records of the servers that are meant, accept no more calls, and have not ended; the youngest
/// first.
pub(super) fn stopping(meant: &Meant<'_>) -> io::Result<Vec<Entry>> {
    let mut stopping = ended(meant)?;
    stopping.retain(|entry| match entry.ending {
        None => entry.has_process(),
        Some(_) => entry.lingers(),
    });
    Ok(stopping)
}

/// Whether a process is about to start a server that is meant, perhaps in place of another.
pub(super) fn is_about_to_start(meant: &Meant<'_>) -> bool {
    let ended = ended(meant).unwrap_or_default();
    // The successor of this very server starts only when its `exit_task` has ended, so that must
    // not wait for it.
    if ended.iter().any(|it| it.ending.is_none() && it.process.pid == std::process::id()) {
        return false;
    }
    if let Target::Name(name) = meant.target {
        return meant.registry.is_about_to_start(name);
    }
    let mut entries = meant.registry.entries().unwrap_or_default();
    entries.retain(|entry| meant.includes(entry));
    let mut names = ended.iter().chain(&entries).filter_map(|entry| entry.name.as_ref());
    names.any(|name| meant.registry.is_about_to_start(name))
}

/// Whether another server has taken the place of one that ends, or is about to.
pub(super) fn has_successor(target: &Target, old: Id) -> bool {
    let Ok(registry) = Registry::of_user() else { return false };
    let meant = Meant { registry: &registry, target, addresses: &target.addresses() };
    let old = old.to_string();
    // In this order: an entry is there before its starter lets others start.
    is_about_to_start(&meant)
        || registry.entries().is_ok_and(|entries| {
            let is_next = |it: &Entry| it.instance != old && it.has_process();
            entries.iter().any(|it| is_next(it) && meant.includes(it))
        })
}

/// The records of the servers that are meant and accept no more calls.
fn ended(meant: &Meant<'_>) -> io::Result<Vec<Entry>> {
    let mut ended = meant.registry.ended()?;
    ended.retain(|entry| meant.includes(entry));
    Ok(ended)
}

/// What explains that no running server has a name.
pub(super) fn hint(registry: &Registry, name: &Name) -> Option<AbsenceHint> {
    let ended = registry.ended().unwrap_or_default();
    let ended = ended.iter().filter(|entry| entry.name.as_ref() == Some(name));
    let endings = ended.filter_map(|entry| entry.ending.as_ref());
    if let Some(ending) = endings.max_by_key(|ending| ending.at_ms) {
        let how = if ending.orderly { "as intended".to_owned() } else { ending.to_string() };
        return Some(AbsenceHint::Ended { ago: ending.ago(), how });
    }
    let running = registry.entries().unwrap_or_default();
    let names = running.into_iter().filter_map(|entry| entry.name);
    name.nearest(names).map(AbsenceHint::Similar)
}
